/** Unix sockets: permissions, what dead processes leave behind, and clear refusals. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { HeaderBlock, type HttpHandler } from "../../exchange/index.ts";
import { testCertificate } from "../../../tools/test-certificate.ts";
import { createEngine, type Engine, type EngineOptions, type ListenOptions, type ReadMode } from "./index.ts";

const echo: HttpHandler = (request) => ({
  status: 200,
  headers: HeaderBlock.empty,
  body: `${request.target} from "${request.remoteAddress}"`,
});

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), "tensile-unix-"));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function engineFor(t: TestContext, options: Partial<EngineOptions> = {}): Engine {
  const engine = createEngine({ handler: echo, ...options });
  t.after(() => engine.close());
  return engine;
}

function get(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: "/x", agent: false });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve(text));
    });
    request.end();
  });
}

for (const readMode of ["static", "events"] satisfies ReadMode[]) {
  test(`serves on a Unix socket that only its user may open, and removes it at the end (${readMode})`, async (t) => {
    const path = join(folder(t), "app.sock");
    const umask = process.umask(0o022);
    const engine = engineFor(t, { readMode });
    const listening = await engine.listen({ path });
    assert.ok(listening.ok);
    assert.deepEqual(listening.value, { host: "", port: 0, path });
    assert.deepEqual(engine.address(), { host: "", port: 0, path });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(process.umask(umask), 0o022);
    assert.equal(await get(path), '/x from ""');
    assert.deepEqual(await engine.drain(1_000), { outcome: "drained" });
    assert.equal(existsSync(path), false);
  });
}

test("the permissions can be chosen", async (t) => {
  const path = join(folder(t), "app.sock");
  const engine = engineFor(t);
  assert.ok((await engine.listen({ path, mode: 0o660 })).ok);
  assert.equal(statSync(path).mode & 0o777, 0o660);
});

test("the file of a process that was killed is replaced", async (t) => {
  const path = join(folder(t), "app.sock");
  const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(existsSync(path), true);
  const engine = engineFor(t);
  assert.ok((await engine.listen({ path })).ok);
  assert.equal(await get(path), '/x from ""');
});

test("a socket that somebody answers on is left alone, and so is what is not a socket", async (t) => {
  const path = join(folder(t), "app.sock");
  const first = engineFor(t);
  assert.ok((await first.listen({ path })).ok);
  const refusalOf = async (where: ListenOptions): Promise<string> => {
    const refused = await engineFor(t).listen(where);
    assert.ok(!refused.ok);
    return `${refused.fault.data.reason}: ${refused.fault.message}`;
  };
  assert.match(await refusalOf({ path }), /^EADDRINUSE: .*another process answers on it/);
  assert.equal(await get(path), '/x from ""');
  const file = join(folder(t), "notes.txt");
  writeFileSync(file, "precious");
  assert.match(await refusalOf({ path: file }), /^EEXIST: .*not a socket/);
  assert.equal(existsSync(file), true);
  assert.match(await refusalOf({ path: join(file, "..", "none", "app.sock") }), /: .*its folder does not exist/);
  assert.match(await refusalOf({ path: `/tmp/${"x".repeat(110)}` }), /^ENAMETOOLONG: .*107 bytes/);
  assert.match(await refusalOf({ path: "" }), /^EINVAL/);
});

test("what cannot go together is a mistake", async (t) => {
  const tls = await testCertificate();
  const wrong: [ListenOptions, RegExp, Partial<EngineOptions>?][] = [
    [{}, /`port` or on a `path`/],
    [{ path: "/tmp/a", port: 1 }, /not on both/],
    [{ port: 0, mode: 0o600 }, /needs a `path`/],
    [{ path: "/tmp/a", mode: 0o1000 }, /from 0 to 0o777/],
    [{ path: "/tmp/a" }, /needs no TLS/, { tls }],
  ];
  for (const [where, message, options] of wrong) await assert.rejects(engineFor(t, options).listen(where), message);
});
