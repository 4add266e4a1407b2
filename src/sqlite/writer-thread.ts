/** The entry of the writer's thread, started by `link.ts`. */
import { DatabaseSync } from "node:sqlite";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { systemClock } from "../core/index.ts";
import { takeOwnership } from "./ownership.ts";
import type { ToWriter, WriterOptions } from "./protocol.ts";
import { Writer } from "./writer.ts";

if (parentPort === null) throw new TypeError("writer-thread.ts is the entry of a worker thread. Use sqlite() instead.");
const port = parentPort;
/** Never woken: a wait on it ends with its time. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

const writer = new Writer(
  {
    clock: systemClock,
    post: (message, transfer) => port.postMessage(message, transfer),
    take() {
      const received: { message: ToWriter } | undefined = receiveMessageOnPort(port);
      return received?.message;
    },
    end: () => port.close(),
    pause: (ms) => void Atomics.wait(nobody, 0, 0, ms),
    database: (path, options) => new DatabaseSync(path, options),
    own: takeOwnership,
  },
  workerData as WriterOptions,
);
port.on("message", (message: ToWriter) => writer.receive(message));
writer.open();
