import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { contract } from "../../contract/index.ts";
import { formatLimits, implement, serve, type LogEntry } from "../index.ts";
import { fittedLimits } from "./derive.ts";
import { readResources, type ResourceSources } from "./resources.ts";

const mebibyte = 1024 * 1024;
const machine = { totalBytes: 16_384 * mebibyte, cores: 8, heapLimitBytes: 4144 * mebibyte };

function sources(memoryMax: string, more: Partial<ResourceSources> = {}): ResourceSources {
  const files: { readonly [path: string]: string } = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": "30 29 0:29 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
    "/sys/fs/cgroup/memory.max": memoryMax,
    "/sys/fs/cgroup/cpu.max": "250000 100000\n",
  };
  return { ...machine, read: (path) => files[path], ...more };
}

test("the container's limits come before the machine's, and an option before both when it is lower", () => {
  const contained = readResources(undefined, sources(String(512 * mebibyte)));
  assert.deepEqual(
    [contained.memoryBytes, contained.memoryFrom, contained.cpus, contained.cpusFrom, contained.threads],
    [512 * mebibyte, "cgroup2", 2.5, "cgroup2", 2],
  );
  const told = readResources(128 * mebibyte, sources(String(512 * mebibyte)));
  assert.deepEqual([told.memoryBytes, told.memoryFrom, told.threads], [128 * mebibyte, "option", 1]);
  const more = readResources(1024 * mebibyte, sources(String(512 * mebibyte)));
  assert.deepEqual([more.memoryBytes, more.memoryFrom], [512 * mebibyte, "cgroup2"]);
  const free = readResources(undefined, { ...machine, read: () => undefined });
  assert.deepEqual(
    [free.memoryBytes, free.memoryFrom, free.cpus, free.cpusFrom],
    [machine.totalBytes, "system", 8, "system"],
  );
  assert.throws(() => readResources(1000), /"memory" is a number of bytes of at least 64 MiB/);
});

test("a heap limit that does not fit is told with the option that mends it, and one that fits is not", () => {
  const tooLarge = readResources(undefined, sources(String(512 * mebibyte)));
  assert.match(tooLarge.heapAdvice ?? "", /may use 4144 MiB of heap, but this process has 512 MiB in all \(cgroup2\)/);
  assert.match(tooLarge.heapAdvice ?? "", /Set NODE_OPTIONS=--max-old-space-size=320\.$/);
  const fits = readResources(undefined, sources(String(512 * mebibyte), { heapLimitBytes: 320 * mebibyte }));
  assert.equal(fits.heapAdvice, undefined);
  const wasted = readResources(undefined, sources(String(8192 * mebibyte), { heapLimitBytes: 2096 * mebibyte }));
  assert.match(wasted.heapAdvice ?? "", /V8 stops at 2096 MiB of heap, although this process has 8192 MiB in all/);
  assert.equal(readResources(undefined, { ...machine, read: () => undefined }).heapAdvice, undefined);
});

test("limits are lowered to fit a small container, never raised, and what was given stands", () => {
  const small = fittedLimits(undefined, readResources(undefined, sources(String(256 * mebibyte))));
  assert.equal(small.http?.connections, 819);
  assert.equal(small.http?.connectionsPerClient, 205);
  assert.equal(small.http?.bodyBytes, 8 * mebibyte);
  assert.equal(small.overload?.inFlight, 256);
  assert.equal(small.jobs?.concurrency, 32);
  const large = fittedLimits(undefined, readResources(undefined, sources("max")));
  assert.deepEqual(large.http, {
    connections: 10_000,
    connectionsPerClient: 500,
    bodyBytes: 16 * mebibyte,
    bufferedBytes: 256 * mebibyte,
  });
  assert.deepEqual(large.overload, { inFlight: 2_000, streams: 5_000 });
  const given = fittedLimits(
    { http: { connections: 7 }, jobs: { concurrency: 500 } },
    readResources(undefined, sources(String(256 * mebibyte))),
  );
  assert.equal(given.http?.connections, 7);
  assert.equal(given.jobs?.concurrency, 500);
});

const app = implement(contract("empty.v1", {}), { handlers: {} });

test("a server says what it has, fits its limits to it, and logs what to do about the heap", async () => {
  const log: LogEntry[] = [];
  const server = await serve(app, {
    port: 0,
    signals: [],
    memory: 100 * mebibyte,
    log: (entry) => void log.push(entry),
  });
  assert.equal(server.resources.memoryBytes, 100 * mebibyte);
  assert.equal(server.resources.memoryFrom, "option");
  assert.equal(server.limits.http.connections, 320);
  assert.equal(server.limits.overload?.inFlight, 100);
  assert.equal(server.limits.jobs.concurrency, 12);
  const text = formatLimits(server.limits);
  assert.match(text, /^http\.connections +320$/m);
  assert.match(text, /^overload\.queueMs +50$/m);
  assert.match(text, /^jobs\.payloadBytes +1048576$/m);
  const said = log.filter(({ event }) => event === "resources");
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.["message"]), /--max-old-space-size=32\./);
  await server.stop();
});

const program = `
import { readResources } from ${JSON.stringify(new URL("./resources.ts", import.meta.url).href)};
process.stdout.write(JSON.stringify(readResources()));
`;

/** Runs the program in a group with limits of its own; undefined where this machine lets nobody make one. */
async function inGroup(
  folders: readonly { path: string; files: { readonly [name: string]: string } }[],
): Promise<string | undefined> {
  const made: string[] = [];
  try {
    for (const { path, files } of folders) {
      mkdirSync(path);
      made.push(path);
      for (const [name, value] of Object.entries(files)) writeFileSync(`${path}/${name}`, value);
    }
    const join = folders.map(({ path }) => `echo $$ > "${path}/cgroup.procs" && `).join("");
    const child = spawn("sh", ["-c", `${join}exec "$0" --input-type=module`, process.execPath]);
    let out = "";
    let trouble = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => (out += String(chunk)));
    child.stderr.setEncoding("utf8").on("data", (chunk) => (trouble += String(chunk)));
    child.stdin.end(program);
    const code = await new Promise((resolve) => child.on("close", resolve));
    return code === 0 ? out : (process.stderr.write(trouble), undefined);
  } catch {
    return undefined;
  } finally {
    // A group whose last process has just ended may be busy for a moment; then it stays behind, empty.
    for (const path of made.toReversed()) {
      for (let tries = 0; tries < 100; tries++) {
        try {
          rmdirSync(path);
          break;
        } catch {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
  }
}

test("a real group of this machine's kernel is found from inside", async (t) => {
  const name = `tensile-test-${process.pid}`;
  const own = (controller: string): string => {
    const line = readFileSync("/proc/self/cgroup", "utf8")
      .split("\n")
      .find((one) => one.split(":")[1] === controller);
    return line?.split(":")[2]?.replace(/\/$/, "") ?? "";
  };
  const v1 = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  const found = !existsSync("/proc/self/cgroup")
    ? undefined
    : v1
      ? await inGroup([
          {
            path: `/sys/fs/cgroup/memory${own("memory")}/${name}`,
            files: { "memory.limit_in_bytes": "209715200" },
          },
          {
            path: `/sys/fs/cgroup/cpu${own("cpu")}/${name}`,
            files: { "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "75000" },
          },
        ])
      : await inGroup([
          {
            path: `/sys/fs/cgroup${own("")}/${name}`,
            files: { "memory.max": "209715200", "cpu.max": "75000 100000" },
          },
        ]);
  if (found === undefined) {
    t.diagnostic("tested nothing: this machine lets nobody make a cgroup with limits");
    return;
  }
  const resources = JSON.parse(found) as ReturnType<typeof readResources>;
  assert.equal(resources.memoryBytes, 209_715_200);
  assert.equal(resources.memoryFrom, v1 ? "cgroup1" : "cgroup2");
  assert.equal(resources.cpus, 0.75);
  assert.equal(resources.threads, 1);
});
