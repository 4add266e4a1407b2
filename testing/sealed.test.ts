/** Encryption end to end on each store: nothing of what jobs keep can be read in the bytes on the disk, keys are rotated, and a missing key is a typed failure. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { contract, fault, fixed, implementContract, job } from "../src/contract/index.ts";
import { openSealing, type Encryption } from "../src/jobs/index.ts";
import { t } from "../src/schema/index.ts";
import { value } from "../src/testing/store-harness.ts";
import { postgresKinds, postgresServer } from "./postgres-server.ts";
import { onPlace, placeNames, until } from "./worker-place.ts";

const Declined = fault("DECLINED", { kind: "not_found", data: { card: t.string() } });
const letter = job("letter", {
  input: { text: t.string() },
  output: { text: t.string() },
  faults: [Declined],
  signals: { paid: { by: t.string() } },
  unique: true,
  retry: { attempts: 2, backoff: fixed("1ms") },
});
const open = job("open", { input: { text: t.string() }, encrypt: false });
const mail = contract("sealed.v1", { letter, open });

const k1 = randomBytes(32);
const k2 = randomBytes(32);
const first: Encryption = { keys: { k1 }, current: "k1" };
const both: Encryption = { keys: { k1, k2 }, current: "k2", uniqueWith: "k1" };
const second: Encryption = { keys: { k2 }, current: "k2" };

const sealing = (encryption: Encryption) => openSealing(mail, { encryption, compressOver: 200, mostBytes: 1_048_576 });

const handlers = implementContract(mail, {
  handlers: {
    letter: async function* ({ input: { text }, job: run }) {
      if (run.attempt === 1) return Declined({ card: `card of ${text}` });
      const kept = await run.step("weigh", () => `weight of ${text}`);
      run.progress(`progress of ${text}`);
      const { by } = yield* await run.waitFor("paid", { timeout: "1m" });
      return { text: `${kept} ${by}` };
    },
    open: () => undefined,
  },
});

for (const name of placeNames) {
  test(`what jobs keep on ${name} cannot be read without the key, is read across a rotation, and says which key is missing`, () =>
    onPlace(name, async ({ address, worker }) => {
      const secret = `s3cret-${randomBytes(6).toString("hex")}`;
      const long = `${secret} `.repeat(200);
      const one = await worker(mail, handlers, { sealing: await sealing(first) });
      const refs = [];
      for (const text of [secret, long]) refs.push(value(await one.jobs.enqueue(letter, { text })));
      for (const { id } of refs) {
        await until(async () => value(await one.jobs.get(id))?.state === "waiting");
        assert.match(JSON.stringify(value(await one.jobs.get(id))?.progress), /^"progress of s3cret-/);
        value(await one.jobs.signal(letter, id, "paid", { by: `payer of ${secret}` }));
      }
      for (const ref of refs) assert.match(value(await ref.result()).text, /^weight of s3cret-.+ payer of s3cret-/);
      const seen = `visible-${randomBytes(6).toString("hex")}`;
      value(await value(await one.jobs.enqueue(open, { text: seen })).result());
      // One that is left for later, under the first key.
      const left = value(await one.jobs.enqueue(letter, { text: `${secret} later` }, { delay: "1h" }));
      await one.end();

      const bytes = await bytesOnDisk(address);
      assert.ok(bytes.includes(seen), "what is not sealed is found by this search");
      assert.ok(!bytes.includes(secret), "what is sealed is not");
      assert.ok(!bytes.includes(Buffer.from(secret).toString("base64").slice(0, 16)));

      const two = await worker(mail, handlers, { sealing: await sealing(both), idle: true });
      assert.match(value(await two.jobs.ref(letter, refs[1]?.id ?? "").result()).text, /payer of s3cret-/);
      const info = value(await two.session.get(refs[0]?.id ?? ""));
      assert.deepEqual([info?.payload.slice(0, 7), info?.result?.slice(0, 7)], ["~1e.k1.", "~1e.k1."]);
      const again = value(await two.jobs.enqueue(letter, { text: `${secret} later` }));
      assert.deepEqual([again.id, again.duplicate], [left.id, true], "unique keys hold across the rotation");
      const young = value(await two.jobs.enqueue(letter, { text: `${secret} young` }, { delay: "1h" }));
      assert.match(value(await two.session.get(young.id))?.payload ?? "", /^~1e\.k2\./);
      await two.end();

      const three = await worker(mail, handlers, { sealing: await sealing(second), idle: true });
      const locked = await three.jobs.ref(letter, refs[0]?.id ?? "").result();
      assert.ok(!locked.ok && locked.fault.code === "PAYLOAD_LOCKED");
      assert.deepEqual(locked.fault.data, { key: "k1" });
      await three.end();
    }));
}

/** Of the SQLite file with its log, or of the database's files and the log of the server. */
async function bytesOnDisk(address: string): Promise<Buffer> {
  if (!address.startsWith("postgres:")) {
    const files = readdirSync(dirname(address)).filter((file) => file.startsWith(basename(address)));
    return Buffer.concat(files.map((file) => readFileSync(join(dirname(address), file))));
  }
  const [kind = "embedded"] = postgresKinds();
  const server = await postgresServer(kind);
  await server.run("CHECKPOINT");
  const found = await server.run("SELECT oid FROM pg_database WHERE datname = current_database()", basename(address));
  const folders = [join("base", String((found.rows[0] as { oid: number }).oid)), "pg_wal"];
  const parts: Buffer[] = [];
  for (const folder of folders) {
    const path = join(server.folder, "data", folder);
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isFile()) parts.push(readFileSync(join(path, entry.name)));
  }
  return Buffer.concat(parts);
}
