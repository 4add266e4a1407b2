import assert from "node:assert/strict";
import { contract, event, fault, implementContract, query, subscription } from "../../contract/index.ts";
import { t } from "../../schema/index.ts";
import { bothFaces } from "../testing/faces.ts";

const TooHigh = fault("TOO_HIGH", { kind: "out_of_range", data: { most: t.int32() } });
const Busy = fault("BUSY", { kind: "unavailable", data: { retryAfter: t.duration() } });
const count = subscription("count", {
  access: "public",
  http: "GET /count/{to}",
  input: { to: t.int32({ minimum: 0 }), fail: t.default(t.enum(["no", "first", "last", "throw", "busy"]), "no") },
  output: { n: t.int32(), text: t.optional(t.string()) },
  faults: [TooHigh, Busy],
  resume: true,
});
const posted = subscription("posted", {
  access: "authenticated",
  http: "POST /posted",
  input: { words: t.array(t.string()) },
  output: t.string(),
});
const plain = query("plain", { access: "public", input: {}, output: {} });

const implemented = implementContract(contract("live.v1", { count, posted, plain }), {
  authenticate: (request) => (request.header("authorization") === "Bearer good" ? { subject: "ann" } : undefined),
  handlers: {
    plain: () => ({}),
    posted: async function* ({ input }) {
      yield* input.words;
    },
    count: async function* ({ input, lastEventId }) {
      const { to, fail } = input;
      if (fail === "first") return TooHigh({ most: 1 });
      for (let n = Number(lastEventId ?? 0) + 1; n <= to; n++) yield event({ n, text: "ä\n\u2028" }, { id: String(n) });
      if (fail === "last") return TooHigh({ most: to });
      if (fail === "busy") return Busy({ retryAfter: 7_000 });
      if (fail === "throw") throw new Error("secret");
      return undefined;
    },
  },
});

/** The text of a stream without its first line, which says when to come back. */
function events(text: string): string {
  const [, retry = "", rest = ""] = /^retry: (\d+)\n\n([\s\S]*)$/.exec(text) ?? [];
  assert.ok(Number(retry) >= 1_000 && Number(retry) <= 3_000, text);
  return rest;
}

const item = (n: number): string => `id: ${n}\ndata: {"n":${n},"text":"ä\\n\u2028"}\n\n`;
const end = "event: end\nid: tensile:end\ndata: {}\n\n";

bothFaces("a subscription is Server-Sent Events", implemented, async (face) => {
  const { status, headers, text } = await face.send("GET", "/count/2");
  assert.equal(status, 200);
  assert.deepEqual(headers, {
    "content-type": "text/event-stream",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
  });
  assert.equal(events(text), item(1) + item(2) + end);
  assert.equal(events((await face.send("GET", "/count/0")).text), end);
});

bothFaces("a subscription goes on after the last id, by header or by query", implemented, async (face) => {
  const byHeader = await face.send("GET", "/count/3", { headers: { "last-event-id": "2" } });
  assert.equal(events(byHeader.text), item(3) + end);
  const byQuery = await face.send("GET", "/count/3?lastEventId=1&fail=no");
  assert.equal(events(byQuery.text), item(2) + item(3) + end);
  for (const id of ["", "%00", "%zz", "a".repeat(300), "%C3%A4"])
    assert.equal(events((await face.send("GET", `/count/1?lastEventId=${id}`)).text), item(1) + end, id);
});

bothFaces("a stream that is over for good answers its reconnecting EventSource with 204", implemented, async (face) => {
  const { status, text } = await face.send("GET", "/count/3", { headers: { "last-event-id": "tensile:end" } });
  assert.deepEqual([status, text], [204, ""]);
});

bothFaces("a fault before the first item is a problem with its own status", implemented, async (face) => {
  const { status, headers, text } = await face.send("GET", "/count/3?fail=first");
  assert.equal(status, 416);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.match(text, /"code":"TOO_HIGH".*"data":\{"most":1\}/);
});

bothFaces(
  "a fault after an item is the last event; whether to come back depends on its kind",
  implemented,
  async (face) => {
    const final = events((await face.send("GET", "/count/1?fail=last")).text);
    assert.match(final, /\n\nevent: fault\nid: tensile:end\ndata: \{"type":"\/problems\/TOO_HIGH".*"most":1\}\}\n\n$/);
    const passing = events((await face.send("GET", "/count/1?fail=busy")).text);
    assert.match(passing, /\n\nevent: fault\nretry: 7000\ndata: \{"type":"\/problems\/BUSY".*\n\n$/);
  },
);

bothFaces(
  "a failure that passes reaches an EventSource inside a stream, which it comes back from",
  implemented,
  async (face) => {
    const accept = "text/event-stream";
    const busy = await face.send("GET", "/count/0?fail=busy", { headers: { accept } });
    assert.equal(busy.status, 200);
    assert.match(busy.text, /^event: fault\nretry: 7000\ndata: \{"type":"\/problems\/BUSY".*\n\n$/);
    assert.equal((await face.send("GET", "/count/0?fail=busy")).status, 503);
    assert.equal((await face.send("GET", "/count/0?fail=first", { headers: { accept } })).status, 416);
  },
);

bothFaces(
  "a handler that throws ends its stream with an incident and not with what it threw",
  implemented,
  async (face) => {
    const { text } = await face.send("GET", "/count/1?fail=throw");
    assert.match(text, /event: fault\nid: tensile:end\ndata: \{[^\n]*"code":"INTERNAL"[^\n]*"incident":"incident-0"/);
    assert.ok(!text.includes("secret"));
    assert.match(String(face.defects[0]?.error), /secret/);
  },
);

bothFaces("the same route answers NDJSON to who asks for it", implemented, async (face) => {
  for (const accept of [
    "application/x-ndjson",
    "application/jsonl",
    "application/ndjson;q=0.9, text/event-stream;q=0.1",
  ]) {
    const { headers, text } = await face.send("GET", "/count/2", { headers: { accept } });
    assert.equal(headers["content-type"], "application/x-ndjson");
    assert.deepEqual(
      text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown),
      [
        { n: 1, text: "ä\n\u2028" },
        { n: 2, text: "ä\n\u2028" },
      ],
    );
  }
  const failed = await face.send("GET", "/count/1?fail=last", { headers: { accept: "application/x-ndjson" } });
  assert.match(failed.text, /^\{"n":1,[^\n]*\}\n\{"\$fault":\{"type":"\/problems\/TOO_HIGH".*\}\}\n$/);
});

bothFaces("Accept decides, and 406 where nothing fits", implemented, async (face) => {
  const typeFor = async (accept: string): Promise<string | undefined> =>
    (await face.send("GET", "/count/0", { headers: { accept } })).headers["content-type"];
  assert.equal(await typeFor("*/*"), "text/event-stream");
  assert.equal(await typeFor("*/*, application/x-ndjson"), "application/x-ndjson");
  assert.equal(await typeFor("application/x-ndjson;q=0.5, */*"), "text/event-stream");
  assert.equal(await typeFor("text/*;q=0.5, application/*"), "application/x-ndjson");
  assert.equal(await typeFor("text/html, text/event-stream;q=0"), "application/problem+json");
  assert.equal((await face.send("GET", "/count/0", { headers: { accept: "application/json" } })).status, 406);
});

bothFaces("what fails before the stream is answered as for every operation", implemented, async (face) => {
  assert.equal((await face.send("GET", "/count/x")).status, 400);
  assert.equal((await face.send("GET", "/count/1?unknown=1")).status, 400);
  assert.equal((await face.send("POST", "/count/1")).status, 405);
  assert.equal((await face.send("POST", "/posted", { body: "{}" })).status, 401);
  const good = { authorization: "Bearer good" };
  assert.equal((await face.send("POST", "/posted", { headers: good, body: "{}" })).status, 415);
  const json = { ...good, "content-type": "application/json" };
  assert.equal((await face.send("POST", "/posted", { headers: json, body: '{"words":7}' })).status, 400);
  const { text } = await face.send("POST", "/posted", { headers: json, body: '{"words":["a","b"]}' });
  assert.equal(events(text), `data: "a"\n\ndata: "b"\n\n${end}`);
});

bothFaces("HEAD opens no stream", implemented, async (face) => {
  const { status, headers, text } = await face.send("HEAD", "/count/5");
  assert.deepEqual([status, headers["content-type"], text], [200, "text/event-stream", ""]);
});

bothFaces("thousands of items arrive, all and in order", implemented, async (face) => {
  const { text } = await face.send("GET", "/count/20000", { headers: { accept: "application/x-ndjson" } });
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.length, 20_000);
  for (const [i, line] of lines.entries()) assert.ok(line.startsWith(`{"n":${i + 1},`), line);
});
