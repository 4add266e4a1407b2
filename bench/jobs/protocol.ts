/** What the harness asks of a process that enqueues and works, and what it is told. The same for every system of the `jobs` benchmark. */

export type JobsOrder =
  | ({ readonly do: "run" } & RunOrder)
  /** Enqueues a backlog in bulk, before any worker has begun. */
  | ({ readonly do: "preload" } & PreloadOrder)
  /** Lets the workers begin where they have not, and watches them until everything has run, `ms` at most. */
  | { readonly do: "drain"; readonly ms: number }
  /** Keeps the threads of the process busy without any job. */
  | { readonly do: "turns"; readonly ms: number }
  /** Works off what is left and tells what became of everything since the start. */
  | { readonly do: "settle" };

export interface RunOrder {
  readonly ms: number;
  /** Jobs in one call: 1 is `enqueue`, more are `enqueueMany`. */
  readonly batch: number;
  /** Jobs that may be under way to their acknowledgement. */
  readonly unacknowledged: number;
  /** Acknowledged jobs that may wait for their run: a bounded backlog, so that a long window measures a steady state. */
  readonly waiting: number;
  /** Jobs sent on a schedule; absent: as many as the two bounds allow. */
  readonly ratePerSecond?: number;
  /** Jobs carry one of so many keys, of which each lets one job at a time run. Absent: no key. */
  readonly keys?: number;
}

export interface PreloadOrder {
  readonly jobs: number;
  readonly batch: number;
  readonly unacknowledged: number;
}

export interface PreloadReport {
  readonly seconds: number;
}

export interface JobsReport {
  readonly seconds: number;
  /** Handlers begun in the window. */
  readonly ran: number;
  readonly acknowledged: number;
  /** From the call of enqueue to its acknowledgement. */
  readonly enqueueP50Us: number;
  readonly enqueueP99Us: number;
  /** From the call of enqueue to the first line of the handler: the commit is in it. */
  readonly pickupP50Us: number;
  readonly pickupP99Us: number;
  /** CPU of the thread that runs handlers and answers HTTP; undefined where the runtime cannot say. */
  readonly mainThreadCpuUs: number | undefined;
  /** Most jobs that were acknowledged and had not begun. */
  readonly backlog: number;
}

export interface JobsVerdict {
  readonly acknowledged: number;
  /** Of the acknowledged. More than 0 is a lost job. */
  readonly neverRan: number;
  readonly ranAgain: number;
  /** In any state but succeeded, after everything was worked off. */
  readonly left: number;
  /** Whatever else was wrong, as sentences. */
  readonly wrong: readonly string[];
}

/** What a process announces. */
export interface JobsReady {
  /** Of the API route beside the jobs; absent for a peer. */
  readonly port?: number;
  /** How commits are made durable, as the process set or read it. */
  readonly durability: string;
}

/** The payload: about 160 bytes of JSON. */
export interface Payload {
  /** Counts up from 0, so that each job can be accounted for. */
  readonly n: number;
  /** When enqueue was called, in microseconds of the process. */
  readonly sentAt: number;
  readonly to: string;
  readonly template: string;
  readonly locale: string;
  readonly subject: string;
}

/** `keys`: so many customers. Jobs with a key have it in `to`, so that they differ from the others in the limit alone. */
export function payloadOf(n: number, sentAt: number, keys?: number): Payload {
  return {
    n,
    sentAt,
    to: `user${keys === undefined ? n : firstOfKeys + (n % keys)}@example.com`,
    template: "order-confirmation",
    locale: "en-GB",
    subject: "Your order is on its way to you",
  };
}

/** With as many digits as the number of a job after the first windows. */
const firstOfKeys = 1_000_000;
