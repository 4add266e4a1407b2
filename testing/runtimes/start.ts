/** Starts a runtime on the built package, on a free port of the loopback interface. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { programOf, type Runtime } from "./installed.ts";
import { moduleGraph } from "./module-graph.ts";

export interface Started {
  readonly url: string;
  stop(): Promise<void>;
}

const arguments_: { readonly [runtime in Exclude<Runtime, "workerd">]: (program: string) => string[] } = {
  bun: (program) => ["run", program],
  deno: (program) => [
    "run",
    "--no-prompt",
    "--allow-net=127.0.0.1",
    "--no-remote",
    "--node-modules-dir=manual",
    program,
  ],
};

export async function startRuntime(runtime: Runtime, folder: string): Promise<Started> {
  if (runtime === "workerd") return startWorkerd(folder);
  const child = spawn(programOf(runtime), arguments_[runtime](`${runtime}.js`), {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return listening(runtime, child, child.stdout, /listening on (\d+)/);
}

/** workerd takes a configuration that lists every module, and tells its port on a file descriptor that it is given. */
function startWorkerd(folder: string): Promise<Started> {
  const modules = moduleGraph(folder, "worker.js").modules.map(
    ({ name, file }) => `(name = ${JSON.stringify(name)}, esModule = embed ${JSON.stringify(relative(folder, file))})`,
  );
  const configuration = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (compatibilityDate = "2026-06-01", modules = [
    ${modules.join(",\n    ")}
  ]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`;
  const file = join(folder, "config.capnp");
  writeFileSync(file, configuration);
  const child = spawn(programOf("workerd"), ["serve", "--control-fd=3", file], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  return listening("workerd", child, child.stdio[3] as Readable, /"port":\s*(\d+)/);
}

async function listening(name: string, child: ChildProcess, output: Readable, pattern: RegExp): Promise<Started> {
  let complaints = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (complaints = (complaints + text).slice(-4_000)));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<string>((resolve, reject) => {
    createInterface({ input: output }).on("line", (line) => {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it listened.\n${complaints}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs `client.js` against a server. Gives what it printed. */
export function runClient(runtime: "bun" | "deno" | "node", folder: string, url: string): unknown {
  const program = runtime === "node" ? process.execPath : programOf(runtime);
  const args = runtime === "node" ? ["client.js"] : arguments_[runtime]("client.js");
  const done = spawnSync(program, [...args, url], { cwd: folder, encoding: "utf8", timeout: 30_000 });
  if (done.status !== 0) throw new Error(`The client in ${runtime} ended with ${done.status}:\n${done.stderr}`);
  return JSON.parse(done.stdout);
}
