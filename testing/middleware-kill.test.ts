/** `kill -9` while calls run: sessions are still there, and a payment was made once or not at all. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";

interface Program {
  readonly url: string;
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
}

const programs: ChildProcess[] = [];

async function start(file: string, how: "deadly" | "calm"): Promise<Program> {
  const script = new URL("./middleware-kill-child.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, file, how], { stdio: ["ignore", "pipe", "inherit"] });
  programs.push(child);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout });
  const url = await Promise.race([
    new Promise<string>((resolve) => lines.once("line", resolve)),
    ended.then(() => Promise.reject(new Error("the program ended before it listened"))),
  ]);
  return { url, process: child, ended };
}

test("a payment whose process is killed is made once, before its commit or after it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tensile-kill-"));
  const file = join(folder, "shop.db");
  const json = { "content-type": "application/json" };
  try {
    let program = await start(file, "deadly");
    const signedIn = await fetch(`${program.url}/signIn`, { method: "POST", headers: json, body: '{"name":"ann"}' });
    const cookie = (signedIn.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
    assert.match(cookie, /^__Host-session=/);
    const pay = async (key: string, die: string) =>
      fetch(`${program.url}/pay`, {
        method: "POST",
        headers: { ...json, cookie, "idempotency-key": key },
        body: JSON.stringify({ amount: 7, die }),
      });
    const count = async (): Promise<unknown> => (await fetch(`${program.url}/payments`)).json();

    await assert.rejects(pay("after", "after"));
    await program.ended;
    program = await start(file, "deadly");
    const repeated = await pay("after", "after");
    assert.equal(repeated.status, 200);
    assert.equal(repeated.headers.get("idempotency-replayed"), "true");
    assert.deepEqual(await repeated.json(), { id: 1 });
    assert.deepEqual(await count(), { count: 1 });

    await assert.rejects(pay("before", "before"));
    await program.ended;
    program = await start(file, "calm");
    assert.equal((await fetch(`${program.url}/whoAmI`, { headers: { cookie } })).status, 200);
    // The lease of the dead process holds for a second at most; it may be over already.
    let answer = await pay("before", "before");
    for (let tries = 0; answer.status === 409 && tries < 100; tries++) {
      assert.equal(answer.headers.get("retry-after"), "1");
      await wait(100);
      answer = await pay("before", "before");
    }
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("idempotency-replayed"), null);
    assert.deepEqual(await count(), { count: 2 });
    assert.equal((await pay("before", "before")).headers.get("idempotency-replayed"), "true");
    assert.deepEqual(await count(), { count: 2 });
    program.process.kill("SIGTERM");
    await program.ended;
  } finally {
    for (const program of programs) program.kill("SIGKILL");
    await rm(folder, { recursive: true });
  }
});
