/** An example as a real process, to be watched, interrupted and killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Starts `main` with PORT=0, which is any free one, and `env`. */
export function startExample(main: string, env: { readonly [name: string]: string } = {}) {
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out = { stdout: "", stderr: "" };
  let wake = (): void => {};
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      out[name] += text;
      wake();
    });
  }
  const exited = once(child, "close").then(([code, signal]) => {
    wake();
    return { code: code as number | null, signal: signal as string | null, ...out };
  });

  return {
    out,
    exited,
    /** Resolves with the match as soon as standard output has one; rejects when the process ends without. */
    async until(pattern: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = pattern.exec(out.stdout);
        if (found !== null) return found;
        const ended = await Promise.race([
          exited.then(() => true),
          new Promise<false>((resolve) => {
            wake = () => resolve(false);
          }),
        ]);
        if (ended && pattern.exec(out.stdout) === null)
          throw new Error(`It ended without ${pattern}:\n${out.stdout}${out.stderr}`);
      }
    },
    signal: (name: "SIGINT" | "SIGTERM" | "SIGKILL") => child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
