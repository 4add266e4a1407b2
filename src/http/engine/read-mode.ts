/**
 * Finds out whether this runtime can read accepted sockets into a static buffer, by doing it: one loopback connection, a few
 * bytes both ways, and the end. Asking by version would be wrong on Bun, Deno, or a Node that changed its insides.
 */
import { connect, createServer, type AddressInfo } from "node:net";
import type { Clock } from "../../core/index.ts";
import { attach, serverOptions, type ReadMode } from "./socket-wire.ts";

const patienceMs = 1_000;
let known: Promise<ReadMode> | null = null;

/** `static` where it works, else `events`. Tried once per process; never rejects. */
export function detectReadMode(clock: Clock): Promise<ReadMode> {
  return (known ??= probe(clock));
}

function probe(clock: Clock): Promise<ReadMode> {
  return new Promise((resolve) => {
    const server = createServer(serverOptions());
    let received = "";
    const finish = (mode: ReadMode): void => {
      timer.cancel();
      server.close();
      resolve(mode);
    };
    const timer = clock.setTimer(patienceMs, () => finish("events"));
    server.on("error", () => finish("events"));
    server.on("connection", (socket) => {
      try {
        attach(socket, "static", (wire) => ({
          receive: (bytes, length) => {
            received += bytes.toString("latin1", 0, length);
            return true;
          },
          drained: () => undefined,
          finished: () => undefined,
          ended: () => {
            wire.write(received);
            wire.end();
          },
          closed: () => undefined,
        }));
      } catch {
        finish("events");
      }
    });
    server.listen(0, "127.0.0.1", () => {
      const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
      let echo = "";
      client.on("data", (chunk) => (echo += String(chunk)));
      client.on("error", () => finish("events"));
      client.on("close", () => finish(echo === "probe" ? "static" : "events"));
      client.end("probe");
    });
  });
}
