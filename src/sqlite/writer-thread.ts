/** The entry of the writer's thread, started by `link.ts`. Where the file is shared and another process's, the thread is a guest of that one. */
import { getPriority, setPriority } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { systemClock } from "../core/index.ts";
import { Owned, takeOwnership } from "./ownership.ts";
import type { ToWriter, WriterOptions } from "./protocol.ts";
import { Guest } from "./share/guest.ts";
import { Writer } from "./writer.ts";

if (parentPort === null) throw new TypeError("writer-thread.ts is the entry of a worker thread. Use sqlite() instead.");
const port = parentPort;
/** Never woken: a wait on it ends with its time. */
const nobody = new Int32Array(new SharedArrayBuffer(4));

const options = workerData as WriterOptions;
// On Linux the priority of "process" 0 is the calling thread's: setpriority(2), "C library/kernel differences".
if (options.nice > 0) setPriority(0, Math.min(19, getPriority(0) + options.nice));
let guest: Guest | undefined;
/** Why the last try to own the file was none. */
let owned: Owned | undefined;

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
    onOwned(thrown) {
      owned = thrown;
      return options.shared !== "no";
    },
  },
  options,
);

/** Throws `Owned` where the file is another process's. */
function own(): void {
  owned = undefined;
  writer.open();
  if (owned !== undefined) throw owned as Owned;
  guest = undefined;
}

function start(): void {
  try {
    own();
  } catch (thrown) {
    if (!(thrown instanceof Owned)) throw thrown;
    if (options.shared === "no") return;
    guest = new Guest({
      file: options.path,
      pid: options.pid,
      migrations: options.migrations.length,
      takesOver: options.shared === "yes",
      post: (message, transfer) => port.postMessage(message, transfer ?? []),
      own,
    });
    void guest.start(thrown);
  }
}

port.on("message", (message: ToWriter) => {
  if (guest === undefined) writer.receive(message);
  else guest.fromMain(message);
});
start();
