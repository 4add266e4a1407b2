/** Redis for BullMQ: from the machine's package, started by the benchmark in a folder of its own, on a socket there. */
import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { type ServerProgram, startProgram } from "../server-program.ts";

/** `always`: a command is answered when it is on disk. `everysec`: a crash may lose the last second. */
export type RedisSync = "always" | "everysec";

export interface Redis extends ServerProgram {
  readonly socket: string;
}

/** The version, or undefined where the program is missing. */
export function redisVersion(): string | undefined {
  const asked = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return asked.status === 0 ? (/v=(\S+)/.exec(asked.stdout)?.[1] ?? "of unknown version") : undefined;
}

export async function startRedis(folder: string, sync: RedisSync): Promise<Redis> {
  const socket = join(folder, "redis.sock");
  const settings = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "", "--daemonize", "no"];
  const durable = ["--appendonly", "yes", "--appendfsync", sync, "--maxmemory-policy", "noeviction"];
  const program = await startProgram(["redis-server", ...settings, ...durable], {
    isReady: () => answersPing(socket),
    stopWith: "SIGTERM",
  });
  return { ...program, socket };
}

function answersPing(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => connection.write("PING\r\n"));
    const end = (ready: boolean): void => {
      connection.destroy();
      resolve(ready);
    };
    connection.once("error", () => end(false));
    connection.once("data", (bytes) => end(bytes.toString().startsWith("+PONG")));
  });
}
