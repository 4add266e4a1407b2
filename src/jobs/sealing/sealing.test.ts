import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { contract, fault, fixed, implementContract, job, type Contract, type JobRun } from "../../contract/index.ts";
import type { Fault, Result } from "../../core/index.ts";
import { t } from "../../schema/index.ts";
import { jobBench, reaches, type JobBench, type JobBenchOptions } from "../../../testing/job-bench.ts";
import { memoryStore } from "../../testing/index.ts";
import { openSealing, type Encryption } from "./index.ts";

const Declined = fault("DECLINED", { kind: "not_found", data: { card: t.string() } });
const letter = job("letter", {
  input: { text: t.string() },
  output: { text: t.string() },
  faults: [Declined],
  retry: { attempts: 2, backoff: fixed("1s", { jitter: 0 }) },
});
const other = job("other", { input: { text: t.string() }, output: { text: t.string() } });
const once = job("once", { input: { text: t.string() }, unique: true });
const open = job("open", { input: { text: t.string() }, encrypt: false });
const demo = contract("demo.v1", { letter, other, once, open });

const key1 = randomBytes(32);
const key2 = randomBytes(32).toString("base64");
const first: Encryption = { keys: { k1: key1 }, current: "k1" };
const both: Encryption = { keys: { k1: key1, k2: key2 }, current: "k2", uniqueWith: "k1" };
const secret = "the quick brown fox";
/** What base64 never has by chance: it has no spaces. */
const shown = /brown fox|fox & co/;

interface Given extends JobBenchOptions {
  readonly encryption?: Encryption;
  readonly over?: number;
  readonly most?: number;
  readonly run?: (text: string) => unknown;
}

async function bench(given: Given = {}): Promise<JobBench & { seen: string[] }> {
  const sealing = await openSealing(demo, {
    encryption: given.encryption,
    compressOver: given.over,
    mostBytes: given.most ?? 1_048_576,
  });
  const seen: string[] = [];
  const handler = ({ input }: { input: { text: string } }): unknown => {
    seen.push(input.text);
    return given.run === undefined ? input : given.run(input.text);
  };
  const handlers = { letter: handler, other: handler, once: handler, open: handler } as never;
  const made = await jobBench(demo, () => implementContract(demo, { handlers }), { ...given, sealing });
  return Object.assign(made, { seen });
}

function value<T>(result: Result<T, Fault>): T {
  if (!result.ok) assert.fail(`expected ok, got ${result.fault.code}: ${result.fault.message}`);
  return result.value;
}

async function kept({ session }: JobBench, id: string): Promise<string> {
  return JSON.stringify(value(await session.get(id)));
}

test("an encrypted job runs, and nothing of its input, result or error data can be read in the store", async () => {
  let failures = 1;
  const made = await bench({
    encryption: first,
    run: (text) => (failures-- > 0 ? Declined({ card: text }) : { text }),
  });
  await made.engine.start();
  const ref = value(await made.jobs.enqueue(letter, { text: secret }));
  assert.match(value(await made.session.get(ref.id))?.payload ?? "", /^~1e\.k1\.[A-Za-z0-9+/=]+$/);
  await reaches(made, ref.id, "succeeded", 100);
  assert.deepEqual(value(await ref.result()), { text: secret });
  assert.deepEqual(made.seen, [secret, secret]);
  const text = await kept(made, ref.id);
  assert.ok(text.includes('"result":"~1e.k1.') && text.includes('"data":"~1e.k1.'), text);
  assert.doesNotMatch(text, shown);
  await made.engine.drain();
});

test("a failed job's fault comes back with its data", async () => {
  const made = await bench({ encryption: first, run: (text) => Declined({ card: text }) });
  await made.engine.start();
  const ref = value(await made.jobs.enqueue(letter, { text: secret }));
  await reaches(made, ref.id, "failed", 100);
  const result = await ref.result();
  assert.ok(!result.ok && result.fault.code === "DECLINED");
  assert.deepEqual(result.fault.data, { card: secret });
  await made.engine.drain();
});

test("the same input is another text each time", async () => {
  const { jobs, session } = await bench({ encryption: first });
  const refs = value(await jobs.enqueueMany(letter, [{ text: secret }, { text: secret }]));
  const payloads = await Promise.all(refs.map(async ({ id }) => value(await session.get(id))?.payload));
  assert.equal(new Set(payloads).size, 2);
});

test("keys are rotated: what the old one sealed still opens, and the new one seals", async () => {
  const store = memoryStore();
  const before = await bench({ store, encryption: first });
  const old = value(await before.jobs.enqueue(letter, { text: "old" }));
  await before.session.close();
  const made = await bench({ store, encryption: both });
  const young = value(await made.jobs.enqueue(letter, { text: "young" }));
  assert.match(value(await made.session.get(young.id))?.payload ?? "", /^~1e\.k2\./);
  await made.engine.start();
  await reaches(made, old.id, "succeeded");
  await reaches(made, young.id, "succeeded");
  assert.deepEqual(value(await made.jobs.ref(letter, old.id).result()), { text: "old" });
  assert.deepEqual(value(await young.result()), { text: "young" });
  await made.engine.drain();
});

test("a job whose key is missing is kept without using up attempts, and runs when the key is there", async () => {
  const store = memoryStore();
  const before = await bench({ store, encryption: both });
  const ref = value(await before.jobs.enqueue(letter, { text: secret }));
  await before.session.close();

  const without = await bench({ store, encryption: first, clock: before.clock });
  const faults: unknown[] = [];
  without.events.on("job.attempt", ({ to, fault }) => faults.push([to, fault?.code]));
  let said = "";
  without.events.on("job.attempt", ({ fault }) => (said = fault?.message ?? ""));
  await without.engine.start();
  for (let second = 0; second < 60; second++) {
    await reaches(without, ref.id, "scheduled");
    await without.clock.advance(1_000);
  }
  await reaches(without, ref.id, "scheduled");
  const info = value(await without.jobs.get(ref.id));
  assert.deepEqual([info?.state, info?.attempt], ["scheduled", 0]);
  // 1 s, 1 s, 2 s, 4 s, …: later as it grows older.
  assert.ok(faults.length >= 6 && faults.length <= 9, String(faults.length));
  assert.deepEqual(faults[0], ["snoozed", "PAYLOAD_LOCKED"]);
  assert.match(said, /encrypted with the key "k2".+Add it to encryption\.keys/);
  assert.deepEqual(without.seen, []);
  await without.engine.drain();
  await without.session.close();

  const again = await bench({ store, encryption: both, clock: before.clock });
  await again.engine.start();
  await reaches(again, ref.id, "succeeded", 5_000);
  assert.deepEqual(value(await again.jobs.ref(letter, ref.id).result()), { text: secret });
  await again.engine.drain();
});

test("a text that was moved to another job, or changed, does not open: INVALID_PAYLOAD, by the retry policy", async () => {
  const made = await bench({ encryption: first });
  const ref = value(await made.jobs.enqueue(letter, { text: secret }));
  const { payload } = value(await made.session.get(ref.id)) ?? assert.fail();
  const flipped = Buffer.from(payload.slice(7), "base64");
  flipped[40] = (flipped[40] ?? 0) ^ 1;
  const forged = [
    { name: "other", priority: 5, payload },
    { name: "letter", priority: 5, payload: `~1e.k1.${flipped.toString("base64")}` },
    { name: "letter", priority: 5, payload: "~1e.k1.AAAA" },
  ];
  const ids = value(await made.session.enqueue(forged)).map(({ id }) => id);
  await made.engine.start();
  await reaches(made, ref.id, "succeeded");
  for (const id of ids) await reaches(made, id, "failed", 5_000);
  assert.deepEqual(made.seen, [secret]);
  for (const id of ids) {
    const info = value(await made.jobs.get(id));
    assert.equal(info?.errors[0]?.code, "INVALID_PAYLOAD");
    assert.match(info.errors[0].message, /changed, or sealed for another job or purpose/);
  }
  await made.engine.drain();
});

test("unique keys are hidden, hold across a rotation, and are still unique", async () => {
  const store = memoryStore();
  const before = await bench({ store, encryption: first });
  const one = value(await before.jobs.enqueue(once, { text: secret }));
  await before.session.close();
  const { jobs, session } = await bench({ store, encryption: both });
  const two = value(await jobs.enqueue(once, { text: secret }));
  assert.deepEqual([two.id, two.duplicate], [one.id, true]);
  assert.equal(value(await jobs.enqueue(once, { text: "another" })).duplicate, false);
  assert.match(value(await session.get(one.id))?.uniqueKey ?? "", /^hmac:[A-Za-z0-9_-]{43}$/);
});

test("a prepared job is sealed too, and so is nothing of a job that says encrypt: false", async () => {
  const { jobs, session } = await bench({ encryption: first });
  assert.match(value(await jobs.prepare(letter, { text: secret })).record.payload, /^~1e/);
  const plain = value(await jobs.enqueue(open, { text: secret }));
  assert.equal(value(await session.get(plain.id))?.payload, JSON.stringify({ text: secret }));
});

test("enqueues keep their order, though sealing one takes a while and the next needs none", async () => {
  const { jobs } = await bench({ encryption: first });
  const sealed = jobs.enqueue(letter, { text: "1" });
  // Its batch is on its way.
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  const plain = jobs.enqueue(open, { text: "2" });
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  const last = jobs.enqueue(letter, { text: "3" });
  const ids = [value(await sealed), value(await plain), value(await last)].map(({ id }) => Number(id));
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
});

test("long payloads and results are compressed, and short ones are not", async () => {
  const made = await bench({ over: 100 });
  await made.engine.start();
  const long = "x".repeat(5_000);
  const ref = value(await made.jobs.enqueue(letter, { text: long }));
  const short = value(await made.jobs.enqueue(letter, { text: "short" }));
  assert.deepEqual([value(await ref.result()), value(await short.result())], [{ text: long }, { text: "short" }]);
  const record = value(await made.session.get(ref.id));
  assert.match(record?.payload ?? "", /^~1z\./);
  assert.ok((record?.payload.length ?? 0) < 200 && (record?.result?.length ?? 0) < 200);
  assert.equal(value(await made.session.get(short.id))?.payload, '{"text":"short"}');
  await made.engine.drain();
});

test("what does not become shorter stays as it is, and compression goes before encryption", async () => {
  const noise = randomBytes(600).toString("base64");
  const plain = await bench({ over: 100 });
  const ref = value(await plain.jobs.enqueue(letter, { text: noise }));
  assert.equal(value(await plain.session.get(ref.id))?.payload, JSON.stringify({ text: noise }));
  const made = await bench({ over: 100, encryption: first });
  await made.engine.start();
  const long = value(await made.jobs.enqueue(letter, { text: "y".repeat(5_000) }));
  assert.ok((value(await made.session.get(long.id))?.payload.length ?? 0) < 250);
  assert.deepEqual(value(await long.result()), { text: "y".repeat(5_000) });
  await made.engine.drain();
});

test("what is compressed is read by a process that does not compress", async () => {
  const store = memoryStore();
  const before = await bench({ store, over: 10 });
  const ref = value(await before.jobs.enqueue(letter, { text: "z".repeat(500) }));
  await before.session.close();
  const made = await bench({ store });
  await made.engine.start();
  assert.deepEqual(value(await made.jobs.ref(letter, ref.id).result()), { text: "z".repeat(500) });
  await made.engine.drain();
});

test("a decompression bomb, and a broken frame, cost an attempt, and are unpacked no further than the limit", async () => {
  const made = await bench({ most: 10_000 });
  const bomb = zstdCompressSync(Buffer.alloc(64 * 1_048_576, 32)).toString("base64");
  assert.ok(bomb.length < 100_000);
  const payloads = [`~1z.${bomb}`, "~1z.AAAA", "~1z.", "~2e.k1.AAAA"];
  const jobs = payloads.map((payload) => ({ name: "letter", priority: 5, payload }));
  const ids = value(await made.session.enqueue(jobs)).map(({ id }) => id);
  await made.engine.start();
  for (const id of ids.slice(0, 3)) await reaches(made, id, "failed", 500);
  await reaches(made, ids[3] ?? "", "scheduled");
  const infos = await Promise.all(ids.map(async (id) => value(await made.jobs.get(id))));
  assert.match(infos[0]?.errors[0]?.message ?? "", /more than 10000 bytes when it is decompressed/);
  assert.deepEqual(
    infos.map((info) => [info?.state, info?.errors[0]?.code]),
    [
      ["failed", "INVALID_PAYLOAD"],
      ["failed", "INVALID_PAYLOAD"],
      ["failed", "INVALID_PAYLOAD"],
      // Of a later version: kept.
      ["scheduled", undefined],
    ],
  );
  await made.engine.drain();
});

test("wrong keys are found at start, and are not shown", async () => {
  const openWith = (encryption: Encryption | undefined, of: Contract = demo) =>
    openSealing(of, { encryption, mostBytes: 1_000 }).then(
      () => assert.fail("it opened"),
      (error: unknown) => (error as Error).message,
    );
  assert.match(await openWith({ keys: { k1: "short" }, current: "k1" }), /key "k1" has 3 bytes, not 32.+openssl rand/);
  assert.match(await openWith({ keys: { k1: undefined }, current: "k1" }), /key "k1" has 0 bytes/);
  assert.match(await openWith({ keys: { "a key": key1 }, current: "a key" }), /"a key" is no key id/);
  assert.match(await openWith({ keys: { k1: key1 }, current: "k2" }), /current is "k2".+\(k1\)/);
  assert.match(await openWith({ ...both, uniqueWith: "k3" }), /uniqueWith is "k3"/);
  assert.match(await openWith({ keys: both.keys, current: "k2" }), /job\("once"\) is unique.+uniqueWith/);
  const needy = contract("needy.v1", { card: job("card", { input: {}, encrypt: true }) });
  assert.match(await openWith(undefined, needy), /job\("card"\) says encrypt: true, and there are no keys/);
});

test("steps, signals and progress are sealed in the store, and open for the job", async () => {
  const order = job("order", {
    input: { text: t.string() },
    output: { text: t.string() },
    signals: { paid: { by: t.string() } },
  });
  const shop = contract("shop.v1", { order });
  const sealing = await openSealing(shop, { encryption: first, mostBytes: 1_048_576 });
  const handler = async ({ input, job: own }: { input: { text: string }; job: JobRun }): Promise<unknown> => {
    const step = await own.step("reserve", () => `${input.text} reserved`);
    own.progress(`${input.text} is counted`);
    own.progress(`${input.text} waits`);
    const paid = await own.waitFor("paid" as never, { timeout: "1h" });
    return { text: `${step} ${JSON.stringify(paid)}` };
  };
  const made = await jobBench(shop, () => implementContract(shop, { handlers: { order: handler as never } }), {
    sealing,
  });
  await made.engine.start();
  const ref = value(await made.jobs.enqueue(order, { text: secret }));
  await reaches(made, ref.id, "waiting");
  const resting = value(await made.jobs.get(ref.id));
  assert.deepEqual([resting?.state, resting?.progress], ["waiting", `${secret} waits`]);
  assert.doesNotMatch(await kept(made, ref.id), shown);
  value(await made.jobs.signal(order, ref.id, "paid", { by: "fox & co" }));
  await reaches(made, ref.id, "succeeded", 100);
  const notes = value(await made.session.notes(ref.id));
  assert.doesNotMatch(JSON.stringify(notes), shown);
  assert.match(value(await ref.result()).text, /^the quick brown fox reserved .*fox & co/);
  await made.engine.drain();
});
