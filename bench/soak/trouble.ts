/**
 * What a server meets besides those who ask well: connections that say nothing, clients that leave in the middle of a head, a
 * body or an answer, operations that fail, bytes that are no HTTP. At a steady rate, in a process of its own.
 */
import { connect, type Socket } from "node:net";
import { announce } from "../child.ts";

export interface TroublePlan {
  readonly port: number;
  /** Connections that are open and say nothing. */
  readonly idle: number;
  /** Of each kind below, in a second. */
  readonly perSecond: number;
}

export interface TroubleReport {
  readonly made: number;
}

const body = JSON.stringify({ name: "x".repeat(8000), tags: ["a", "b"] });
const kinds: readonly { readonly send: string; readonly leaveAfterMs: number }[] = [
  // Leaves inside a head, and inside a body.
  { send: "GET /items/1 HTTP/1.1\r\nHost: a\r\nX-Half: ", leaveAfterMs: 50 },
  {
    send: `POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 4000)}`,
    leaveAfterMs: 50,
  },
  // Leaves while the handler works, and while a long answer is on its way.
  { send: "GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\n", leaveAfterMs: 1 },
  { send: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(8), leaveAfterMs: 10 },
  // A handler that throws; a path that leads nowhere; what is no HTTP.
  { send: "GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", leaveAfterMs: 200 },
  { send: "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", leaveAfterMs: 200 },
  { send: "\x16\x03\x01\x02\x00\x01\x00", leaveAfterMs: 50 },
];

/** Goes on until the function that it returns is called. */
export function makeTrouble({ port, idle, perSecond }: TroublePlan): () => TroubleReport {
  const quiet = new Set<Socket>();
  let made = 0;
  const open = (): Socket => {
    made++;
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    socket.resume();
    return socket;
  };
  const timer = setInterval(() => {
    for (let missing = Math.min(20, idle - quiet.size); missing > 0; missing--) {
      const socket = open();
      quiet.add(socket);
      socket.on("close", () => quiet.delete(socket));
    }
    for (const { send, leaveAfterMs } of kinds) {
      const socket = open();
      socket.write(send, "latin1");
      setTimeout(() => socket.destroy(), leaveAfterMs);
    }
  }, 1000 / perSecond);
  return () => {
    clearInterval(timer);
    for (const socket of quiet) socket.destroy();
    return { made };
  };
}

if (import.meta.main) {
  let stop: (() => TroubleReport) | undefined;
  announce("trouble", async (order) => {
    const report = stop?.();
    stop = order === "stop" ? undefined : makeTrouble(order as TroublePlan);
    return report;
  });
}
