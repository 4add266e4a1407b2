import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { startExample } from "../testing/example-process.ts";

/** Lines of a streamed answer, as they come. */
async function* lines(response: Response): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    const complete = text.split("\n");
    text = complete.pop() ?? "";
    yield* complete.filter((line) => line !== "");
  }
  return undefined;
}

test("who follows the board reads what is said, by program, SSE, NDJSON and WebSocket, and misses nothing", async () => {
  await using live = startExample(join(import.meta.dirname, "main.ts"));
  const url = (await live.until(/^curl -N (http:\S+)\/messages\ncurl .*\n/))[1] ?? "";
  const post = async (from: string, text: string): Promise<unknown> => {
    const body = JSON.stringify({ from, text });
    const answer = await fetch(`${url}/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return answer.json();
  };

  const stop = new AbortController();
  const follow = (accept: string, more = ""): Promise<Response> =>
    fetch(`${url}/messages${more}`, { headers: { accept }, signal: stop.signal });
  const ndjson = lines(await follow("application/x-ndjson"));
  const socket = new WebSocket(`${url.replace("http", "ws")}/messages?only=Bo`);
  const heard = once(socket, "message");
  await once(socket, "open");

  // The program's own loop has connected when it prints what is said.
  let said = 0;
  while (!/^Ada: ping/m.test(live.out.stdout)) {
    await post("Ada", `ping ${++said}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await post("Bo", "Hello"), { id: said + 1, from: "Bo", text: "Hello" });
  await live.until(/^Bo: Hello$/m);

  const first = JSON.parse((await ndjson.next()).value ?? "") as { id: number; from: string };
  assert.equal(first.from, "Ada");
  const [message] = (await heard) as [Buffer];
  const item = { id: said + 1, from: "Bo", text: "Hello" };
  assert.deepEqual(JSON.parse(message.toString()), { type: "item", stream: 0, id: String(said + 1), item });

  // Comes back after the first message, and gets what it has missed.
  const events = lines(await follow("text/event-stream", "?lastEventId=1"));
  assert.match((await events.next()).value ?? "", /^retry: \d+$/);
  assert.equal((await events.next()).value, "id: 2");

  // Away for too long: told so, with a status of its own.
  for (let i = 0; i < 120; i++) await post("Cy", "…");
  const missed = await follow("text/event-stream", "?lastEventId=1");
  assert.deepEqual([missed.status, ((await missed.json()) as { code: string }).code], [410, "MISSED"]);

  // A drain ends what is open: nothing keeps the process.
  live.signal("SIGTERM");
  const [code] = (await once(socket, "close")) as [number];
  assert.equal(code, 1001);
  const ended = await live.exited;
  assert.deepEqual({ code: ended.code, stderr: ended.stderr }, { code: 0, stderr: "" });
  stop.abort();
});
