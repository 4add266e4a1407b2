/**
 * The load generator: pre-encoded HTTP/1.1 requests over keep-alive connections on `node:net`, one in flight on each. The
 * same for every system of a run. It checks the status and the length of every answer, and every byte of the body of one in
 * 61; an answer that is wrong is counted, shown and fails the benchmark.
 *
 * Two ways of asking:
 * - closed loop (no `ratePerSecond`): each connection asks again as soon as it was answered. For CPU per request and throughput.
 * - open loop: requests start on a fixed schedule whether or not earlier ones were answered, on whichever connection is
 *   free. For latency at a modest load. A request that finds no free connection waits, and its wait counts.
 */
import { connect, type Socket } from "node:net";
import { nowUs } from "./child.ts";
import { histogram } from "./histogram.ts";
import { type Answer, answerReader, type AnswerReader } from "./answer-reader.ts";

export interface LoadRequest {
  /** The whole request as it goes over the wire. */
  readonly text: string;
  readonly expect: { readonly status: number; readonly body: string; readonly contentType: string };
}

export interface LoadPlan {
  readonly port: number;
  readonly connections: number;
  /** Sent in turn, so that no answer is the same as the one before. */
  readonly requests: readonly LoadRequest[];
  /** Open loop at this rate over all connections together. */
  readonly ratePerSecond?: number;
}

export interface LoadReport {
  readonly answered: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  /** Open loop: by how much requests left later than scheduled. The generator's own lateness, not the server's. */
  readonly lateP99Us: number;
  /** What went wrong, with a count. Empty: every answer was right. */
  readonly errors: { readonly [what: string]: number };
}

export interface LoadSession {
  /** Asks for `ms`, then waits for the answers that are due. The connections stay open for the next phase. */
  phase(ms: number): Promise<LoadReport>;
  close(): void;
}

/** An answer that takes longer than this is counted as missing. */
const answerTimeoutMs = 10_000;
// A prime, so that every request of the list has its turn.
const fullyCompared = 61;

interface Line {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  /** The request under way. */
  request: number;
  sentAt: number;
  busy: boolean;
  lost: boolean;
}

/** Opens the connections. Rejects when the server cannot be reached. */
export async function openLoad(plan: LoadPlan): Promise<LoadSession> {
  const lines: Line[] = [];
  const free: Line[] = [];
  const latencies = histogram();
  const lateness = histogram();
  const requests = plan.requests.map(({ text, expect }) => ({ text, ...expect, bytes: Buffer.from(expect.body) }));
  let errors: { [what: string]: number } = {};
  let next = 0;
  let answered = 0;
  let asking = false;
  let inFlight = 0;
  let idle: (() => void) | undefined;

  const at = (i: number): (typeof requests)[number] => requests[i] as (typeof requests)[number];
  const complain = (what: string): void => void (errors[what] = (errors[what] ?? 0) + 1);
  const send = (line: Line, sentAt: number): void => {
    line.request = next;
    next = next + 1 === requests.length ? 0 : next + 1;
    line.sentAt = sentAt;
    line.busy = true;
    inFlight++;
    line.socket.write(at(line.request).text, "latin1");
  };
  const done = (line: Line): void => {
    line.busy = false;
    inFlight--;
    if (line.lost) {
      // Nothing more can be asked on it.
    } else if (asking && plan.ratePerSecond === undefined) send(line, nowUs());
    else free.push(line);
    if (inFlight === 0) idle?.();
  };
  const judge = (line: Line, answer: Answer): void => {
    const want = at(line.request);
    latencies.record(nowUs() - line.sentAt);
    answered++;
    if (answer.status !== want.status) complain(`status ${answer.status} instead of ${want.status}`);
    else if (answer.bodyLength !== want.bytes.length)
      complain(`${answer.bodyLength} bytes instead of ${want.bytes.length}`);
    else if (answered % fullyCompared === 1 && !answer.body().equals(want.bytes)) complain("another body");
  };
  const lose = (line: Line, why: string): void => {
    if (line.lost) return;
    line.lost = true;
    complain(why);
    line.socket.destroy();
    if (line.busy) done(line);
    else if (free.includes(line)) free.splice(free.indexOf(line), 1);
  };

  const open = async (): Promise<void> => {
    const opened = Promise.withResolvers<void>();
    // One buffer for all: what a callback is given, it has read when it returns.
    const socket: Socket = connect({
      port: plan.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: shared,
        callback(length) {
          try {
            const answer = line.reader.read(shared, length);
            if (answer !== undefined) {
              if (!line.busy) lose(line, "an answer that nobody asked for");
              else {
                judge(line, answer);
                if (answer.closes) lose(line, "the server closed the connection");
                else done(line);
              }
            }
          } catch (error) {
            lose(line, error instanceof Error ? error.message : String(error));
          }
          return true;
        },
      },
    });
    const line: Line = { socket, reader: answerReader(), request: 0, sentAt: 0, busy: false, lost: false };
    socket.once("connect", opened.resolve);
    socket.on("error", (error) => {
      opened.reject(error);
      lose(line, error.message);
    });
    socket.on("close", () => lose(line, "the connection closed"));
    await opened.promise;
    lines.push(line);
    free.push(line);
  };
  const shared = Buffer.allocUnsafe(256 * 1024);
  for (let i = 0; i < plan.connections; i++) await open();

  /** Starts what the schedule asks for up to now. Where no connection is free, the request keeps its place in time. */
  const pace = (startedAt: number, until: number): Promise<void> => {
    const gapUs = 1e6 / (plan.ratePerSecond as number);
    const { promise, resolve } = Promise.withResolvers<void>();
    let scheduled = 0;
    const tick = (): void => {
      const now = nowUs();
      for (let due = startedAt + scheduled * gapUs; due <= now && due < until; due = startedAt + scheduled * gapUs) {
        // The one that has been idle for longest, so that none is idle for so long that the server closes it.
        const line = free.shift();
        if (line === undefined) break;
        scheduled++;
        lateness.record(now - due);
        // Lateness of the generator's own timer is not the server's; waiting for a free connection is.
        send(line, now - due > blockedUs ? due : now);
      }
      if (now >= until || lines.every(({ lost }) => lost)) resolve();
      else setTimeout(tick, 1);
    };
    tick();
    return promise;
  };

  return {
    async phase(ms) {
      latencies.reset();
      lateness.reset();
      answered = 0;
      errors = {};
      asking = true;
      const startedAt = nowUs();
      if (plan.ratePerSecond === undefined) {
        for (const line of free.splice(0)) send(line, nowUs());
        await new Promise((resolve) => setTimeout(resolve, ms));
      } else {
        await pace(startedAt, startedAt + ms * 1000);
      }
      asking = false;
      if (inFlight > 0) {
        const late = setTimeout(() => {
          for (const line of lines) if (line.busy) lose(line, `no answer within ${answerTimeoutMs / 1000} s`);
        }, answerTimeoutMs);
        await new Promise<void>((resolve) => (idle = resolve));
        clearTimeout(late);
      }
      idle = undefined;
      const seconds = (nowUs() - startedAt) / 1e6;
      return {
        answered,
        seconds,
        requestsPerSecond: answered / seconds,
        p50Us: latencies.percentile(0.5),
        p99Us: latencies.percentile(0.99),
        maxUs: latencies.max,
        lateP99Us: lateness.percentile(0.99),
        errors,
      };
    },
    close() {
      for (const line of lines) {
        line.lost = true;
        line.socket.destroy();
      }
    },
  };
}

/** Later than a timer is under a full core: all connections were taken. */
const blockedUs = 50_000;
