/** Programs that a benchmark needs beside the measured processes: Redis and PostgreSQL. They end with the harness, however that ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { pinning } from "./processes.ts";

export interface ServerProgram {
  readonly pid: number;
  /** CPU so far in microseconds, of the program and of every process that it has started. */
  cpuUs(): number | undefined;
  stop(): Promise<void>;
}

export interface ServerProgramOptions {
  readonly core?: number | undefined;
  /** Resolves when it answers; is asked again until it does or the program ends. */
  readonly isReady: () => Promise<boolean>;
  /** As whom it runs: PostgreSQL refuses root. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly stopWith: NodeJS.Signals;
}

export async function startProgram(command: readonly string[], options: ServerProgramOptions): Promise<ServerProgram> {
  const pinned = options.core !== undefined && pinning() ? ["taskset", "-c", String(options.core)] : [];
  const [program, ...rest] = [...pinned, ...command] as [string, ...string[]];
  const child = spawn(program, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.uid !== undefined && { uid: options.uid, gid: options.gid }),
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4000)));
  }
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
  await untilReady(child, ended, options.isReady, () => said);
  const pid = child.pid as number;
  return {
    pid,
    cpuUs: () => cpuOfTree(pid),
    async stop() {
      child.kill(options.stopWith);
      const killer = setTimeout(kill, 10_000);
      await ended;
      clearTimeout(killer);
      process.off("exit", kill);
    },
  };
}

async function untilReady(
  child: ChildProcess,
  ended: Promise<void>,
  isReady: () => Promise<boolean>,
  said: () => string,
): Promise<void> {
  let gone = false;
  void ended.then(() => (gone = true));
  for (let i = 0; i < 600; i++) {
    if (gone) throw new Error(`${child.spawnargs.join(" ")} ended before it was ready:\n${said()}`);
    if (await isReady()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  child.kill("SIGKILL");
  throw new Error(`${child.spawnargs.join(" ")} was not ready within 30 s:\n${said()}`);
}

/** A port of the loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Of a process, of those that it has started and that still run, and of those that have ended and were waited for. */
function cpuOfTree(root: number): number | undefined {
  let ticks: number | undefined;
  for (const entry of readableFolder("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statOf(Number(entry));
    if (fields === undefined) continue;
    const isRoot = Number(entry) === root;
    if (!isRoot && Number(fields[1]) !== root) continue;
    // utime, stime, and of the root also what its children used that are gone.
    ticks =
      (ticks ?? 0) + Number(fields[11]) + Number(fields[12]) + (isRoot ? Number(fields[13]) + Number(fields[14]) : 0);
  }
  return ticks === undefined ? undefined : ticks * 10_000;
}

function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function readableFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
