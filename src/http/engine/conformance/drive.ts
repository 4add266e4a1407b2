/** Drives one Connection in memory: the engine's real reading and writing, without a socket. */
import { manualClock } from "../../../core/index.ts";
import { HeaderBlock, type HttpHandler, type HttpResponse } from "../../../exchange/index.ts";
import { continueText } from "../answer-text.ts";
import { Connection } from "../connection.ts";
import type { ConnectionHost, Wire } from "../connection-host.ts";
import { DateLine } from "../date-line.ts";
import { resolveLimits, type EngineLimits } from "../limits.ts";
import type { EngineRecord, RequestRecord } from "./record.ts";

class MemoryWire implements Wire {
  readonly isSecure = false;
  output = "";
  ended = false;
  paused = false;

  write(data: string | Uint8Array): boolean {
    this.output += typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    return true;
  }

  writeAll(parts: readonly (string | Uint8Array)[]): boolean {
    for (const part of parts) this.write(part);
    return true;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.ended = true;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  queuedBytes(): number {
    return 0;
  }

  remoteAddress(): string {
    return "";
  }

  release(): null {
    return null;
  }
}

/** Feeds `pieces` one by one, letting promises run in between, and reports what the engine made of them. */
export async function driveEngine(
  pieces: readonly Buffer[],
  overrides: Partial<EngineLimits> = {},
): Promise<EngineRecord> {
  const slots: (RequestRecord | null)[] = [];
  // Held to what llhttp accepts: where a length is refused by the head alone.
  const limits = resolveLimits({ streamBytes: 0, ...overrides });
  const clock = manualClock();
  const host: ConnectionHost = {
    limits,
    handler: recorder(slots),
    counters: { requests: 0, inFlight: 0, refused: 0, timedOut: 0 },
    date: new DateLine(clock),
    isStopping: false,
    http2: null,
    monotonic: () => 0,
    wakeAt: () => undefined,
    forget: () => undefined,
    holds: () => undefined,
    replace: () => undefined,
    defect: ({ error }) => {
      throw error;
    },
  };
  const wire = new MemoryWire();
  const connection = new Connection(host, wire);
  // As in production: one buffer that is overwritten by every read.
  const shared = Buffer.alloc(64 * 1024);
  for (const piece of pieces) {
    if (wire.ended) break;
    while (wire.paused) await settle();
    shared.fill(0xff);
    piece.copy(shared);
    connection.receive(shared, piece.length);
    await settle();
  }
  await settle();
  // Whether the body was there already, and no invitation was needed, depends on the split by nature.
  const requests = slots.filter((record) => record !== null);
  return { requests, output: wire.output.replaceAll(continueText, ""), ended: wire.ended };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Answers 200 after reading the body, 400 when it cannot be read. Odd targets are answered late, so that both ways are walked. */
function recorder(slots: (RequestRecord | null)[]): HttpHandler {
  return (request) => {
    const { method, target } = request;
    // Safe requests may end in another order than they came.
    const slot = slots.push(null) - 1;
    const answer = (result: Awaited<ReturnType<typeof request.body>>): HttpResponse => {
      if (!result.ok) return { status: 400, headers: HeaderBlock.empty, body: result.fault.code };
      slots[slot] = {
        method,
        target,
        headers: request.headerPairs(),
        body: Buffer.from(result.value).toString("latin1"),
      };
      return { status: 200, headers: HeaderBlock.empty, body: target };
    };
    if (target.length % 3 === 0)
      return Promise.resolve()
        .then(() => request.body(1 << 20))
        .then(answer);
    const body = request.body(1 << 20);
    return body instanceof Promise ? body.then(answer) : answer(body);
  };
}
