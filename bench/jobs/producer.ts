/**
 * The producer of a window. One for all windows of a process, as the code of an application is: functions that each window made anew would be compiled anew by V8, beside
 * the first second of what is measured.
 */
import { nowUs } from "../child.ts";
import type { Payload, RunOrder } from "./protocol.ts";

/** Jobs that are sent in one turn of the event loop. */
const jobsInTurn = 10;

export interface ProducerBook {
  /** `sentAt`: microseconds, as `nowUs`. */
  make(count: number, sentAt: number, keys: number | undefined): readonly Payload[];
  acknowledged(payloads: readonly Payload[]): void;
  refused(error: unknown): void;
  /** Acknowledged, and not begun. */
  waiting(): number;
  /** Whether what is under way need not be waited for. */
  isBroken(): boolean;
}

/** Makes jobs durable; resolves when they are. Rejects when they were refused. `keyed`: of those with the same `to` one at a time may run. */
export type Enqueue = (payloads: readonly Payload[], keyed: boolean) => Promise<void>;

export class Producer {
  readonly #book: ProducerBook;
  #enqueue: Enqueue = () => Promise.resolve();
  #order: RunOrder = { ms: 0, batch: 1, unacknowledged: 0, waiting: 0 };
  #startedAt = 0;
  #outstanding = 0;
  #asked = 0;
  #isProducing = false;
  #timer: NodeJS.Timeout | undefined;
  #isAwake = false;
  #onIdle: () => void = () => undefined;

  constructor(book: ProducerBook) {
    this.#book = book;
  }

  start(enqueue: Enqueue, order: RunOrder): void {
    this.#enqueue = enqueue;
    this.#order = order;
    this.#startedAt = nowUs();
    this.#asked = this.#outstanding = 0;
    this.#isProducing = true;
    this.#tick();
  }

  /** Sends no more; resolves when all that was sent is answered. */
  async stop(): Promise<void> {
    this.#isProducing = false;
    await new Promise<void>((resolve) => (this.#onIdle = resolve));
    clearTimeout(this.#timer);
  }

  #hasRoom(now: number): boolean {
    const { batch, unacknowledged, waiting, ratePerSecond } = this.#order;
    const due = ratePerSecond === undefined ? Infinity : ((now - this.#startedAt) / 1e6) * ratePerSecond;
    return (
      this.#isProducing &&
      this.#outstanding + batch <= unacknowledged &&
      this.#book.waiting() < waiting &&
      this.#asked + batch <= due
    );
  }

  #send(now: number): void {
    const { batch, keys } = this.#order;
    const payloads = this.#book.make(batch, now, keys);
    this.#asked += batch;
    this.#outstanding += batch;
    this.#enqueue(payloads, keys !== undefined).then(
      () => {
        this.#book.acknowledged(payloads);
        this.#outstanding -= batch;
        this.#wake();
      },
      (error: unknown) => {
        this.#book.refused(error);
        this.#outstanding -= batch;
      },
    );
  }

  // A few in each turn of the event loop, as requests would bring them: a commit acknowledges hundreds at once, and a
  // producer that answered with hundreds at once would itself be what delays everything else in the process. All of a turn count as sent at its begin: to read the clock for each
  // would be a noticeable part of what is measured.
  readonly #fill = (): void => {
    this.#isAwake = false;
    const now = nowUs();
    for (let i = 0; i < jobsInTurn && this.#hasRoom(now); i += this.#order.batch) this.#send(now);
    if (this.#hasRoom(now)) this.#wake();
  };

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(this.#fill);
  }

  // Wakes the producer when the backlog was full or the rate had nothing due. To fill here would be a second row of turns beside the first, and one more with each tick of a
  // process that is behind.
  readonly #tick = (): void => {
    if (this.#hasRoom(nowUs())) this.#wake();
    if (!this.#isProducing && (this.#outstanding === 0 || this.#book.isBroken())) this.#onIdle();
    else this.#timer = setTimeout(this.#tick, 1);
  };
}
