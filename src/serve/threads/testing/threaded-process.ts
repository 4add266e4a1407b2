/** Starts `fixtures/threaded.ts` as a process of its own: threads run the program's module again, and a test's module is none. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ThreadsOptions, ServeOptions, ThreadStats } from "../../index.ts";

const program = fileURLToPath(new URL("../../fixtures/threaded.ts", import.meta.url));

/** What the program prints, a line of JSON each. */
export interface Said {
  readonly url?: string;
  readonly metricsPort?: number;
  readonly main?: boolean;
  readonly threads?: readonly ThreadStats[];
  readonly limits?: number;
  readonly thread?: {
    readonly thread: number;
    readonly state: string;
    readonly reason?: string;
    readonly restartInMs?: number;
  };
  readonly stats?: readonly ThreadStats[];
  readonly reloaded?: string;
  readonly report?: { readonly outcome: string; readonly failures: readonly string[] };
}

export interface ThreadedProcess {
  readonly url: string;
  readonly child: ChildProcess;
  readonly started: Said;
  /** Of its log, by the name of the event. */
  readonly log: readonly { readonly event: string; readonly thread?: number; readonly [field: string]: unknown }[];
  /** Resolves with the first line, said already or later, that `wanted` is true of. */
  heard(wanted: (said: Said) => boolean): Promise<Said>;
  /** The same, said from now on. */
  next(wanted: (said: Said) => boolean): Promise<Said>;
  stats(): Promise<readonly ThreadStats[]>;
  /** Its exit code. */
  ended(): Promise<number | null>;
}

export async function startThreaded(
  context: TestContext,
  options: { threads?: ThreadsOptions; serve?: Partial<ServeOptions> } = {},
  nodeFlags: readonly string[] = [],
): Promise<ThreadedProcess> {
  const folder = mkdtempSync(join(tmpdir(), "tensile-threads-"));
  const file = join(folder, "jobs.db");
  const child = spawn(process.execPath, [...nodeFlags, program, JSON.stringify({ file, ...options })], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  context.after(async () => {
    child.kill("SIGKILL");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  const lines: Said[] = [];
  const waiting: { readonly wanted: (said: Said) => boolean; readonly resolve: (said: Said) => void }[] = [];
  const log: ThreadedProcess["log"][number][] = [];
  let complaints = "";
  createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on("line", (line) => {
    const said = JSON.parse(line) as Said;
    lines.push(said);
    for (const { wanted, resolve } of waiting) if (wanted(said)) resolve(said);
  });
  createInterface({ input: child.stderr as NonNullable<typeof child.stderr> }).on("line", (line) => {
    complaints += `${line}\n`;
    if (line.startsWith("{")) log.push(JSON.parse(line) as (typeof log)[number]);
  });
  const next = (wanted: (said: Said) => boolean): Promise<Said> =>
    new Promise((resolve, reject) => {
      waiting.push({ wanted, resolve });
      void exited.then(([code]) => reject(new Error(`The process ended with ${code}.\n${complaints}`)));
    });
  const heard = async (wanted: (said: Said) => boolean): Promise<Said> => lines.find(wanted) ?? next(wanted);
  const started = await heard(({ url }) => url !== undefined);
  return {
    url: started.url as string,
    child,
    started,
    log,
    heard,
    next,
    async stats() {
      const answer = next(({ stats }) => stats !== undefined);
      child.send("stats");
      return (await answer).stats ?? [];
    },
    ended: async () => (await exited)[0],
  };
}

/** One request on a connection of its own, which may fall to any thread. */
export async function ask(
  url: string,
  body?: object,
): Promise<{ readonly status: number; readonly json: { [field: string]: unknown } }> {
  const headers = { connection: "close", ...(body !== undefined && { "content-type": "application/json" }) };
  const response = await fetch(url, {
    headers,
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as { [field: string]: unknown } };
}

/** Asks until every wanted thread has answered; gives the last answer of each. At most 400 times. */
export async function askEvery(
  count: number,
  call: (attempt: number) => ReturnType<typeof ask>,
  threadOf: (json: { readonly [field: string]: unknown }) => unknown,
): Promise<Map<unknown, { readonly [field: string]: unknown }>> {
  const answers = new Map<unknown, { readonly [field: string]: unknown }>();
  for (let attempt = 0; attempt < 400 && answers.size < count; attempt++) {
    const { status, json } = await call(attempt);
    if (status === 200) answers.set(threadOf(json), json);
  }
  return answers;
}
