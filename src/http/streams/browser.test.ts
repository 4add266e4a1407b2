/** What EventSource, as a real browser has it, makes of a subscription. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inBrowser } from "../../../tools/browser.ts";
import { contract, event, fault, subscription } from "../../contract/index.ts";
import { HeaderBlock } from "../../exchange/index.ts";
import { t } from "../../schema/index.ts";
import { implement, serve, type Server } from "../../serve/index.ts";
import type { ExtraRoute } from "../index.ts";

const Gone = fault("GONE", { kind: "gone" });
const Busy = fault("BUSY", { kind: "unavailable" });
const count = subscription("count", {
  access: "public",
  http: "GET /count/{to}",
  input: { to: t.int32(), end: t.enum(["end", "gone", "busy", "stay"]) },
  output: { n: t.int32() },
  faults: [Gone, Busy],
  resume: true,
});

/** How often a stream was asked for. */
interface Asked {
  times: number;
}

function start(asked: Asked, port: number): Promise<Server> {
  const app = implement(contract("live.v1", { count }), {
    handlers: {
      count: async function* ({ input, lastEventId, signal }) {
        asked.times++;
        // Busy once, and well the second time.
        if (input.end === "busy" && asked.times === 1) return Busy();
        for (let n = Number(lastEventId ?? 0) + 1; n <= input.to; n++) yield event({ n }, { id: String(n) });
        if (input.end === "gone") return Gone();
        if (input.end === "stay")
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        return undefined;
      },
    },
  });
  const html = new HeaderBlock(["content-type", "text/html"]);
  const page: ExtraRoute = {
    method: "GET",
    path: "/page",
    handle: () => ({ status: 200, headers: html, body: "<!doctype html><title>x</title>" }),
  };
  const icon: ExtraRoute = {
    method: "GET",
    path: "/favicon.ico",
    handle: () => ({ status: 204, headers: HeaderBlock.empty, body: null }),
  };
  return serve(app, {
    port,
    signals: [],
    log: false,
    routes: [page, icon],
    limits: { streams: { retryMs: 20, openMs: 5 } },
  });
}

async function started(context: TestContext): Promise<{ readonly server: Server; readonly asked: Asked }> {
  const asked = { times: 0 };
  const server = await start(asked, 0);
  context.after(() => server.stop());
  return { server, asked };
}

/** Runs in the page: everything that an EventSource says until it is closed for good, or has had `most` items. */
function listen(path: string, most: number): Promise<string[]> {
  return new Promise((resolve) => {
    const said: string[] = [];
    const source = new EventSource(path);
    source.addEventListener("message", ({ data, lastEventId }: MessageEvent<string>) => {
      said.push(`${lastEventId} ${data}`);
      if (said.length < most) return;
      source.close();
      resolve(said);
    });
    source.addEventListener("end", () => said.push("end"));
    source.addEventListener("fault", ({ data }: MessageEvent<string>) =>
      said.push(`fault ${(JSON.parse(data) as { code: string }).code}`),
    );
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) resolve(said);
    });
  });
}

const call = (path: string, most = 1_000_000): string => `(${listen.toString()})(${JSON.stringify(path)}, ${most})`;
const items = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${from + i} {"n":${from + i}}`);

test("an EventSource gets every item, and is told when there is no reason to come back", async (context) => {
  const { server, asked } = await started(context);
  await inBrowser(context, async (page) => {
    await page.goto(`${server.url}/page`);
    assert.deepEqual(await page.evaluate(call("/count/3?end=end")), [...items(1, 3), "end"]);
    assert.deepEqual(await page.evaluate(call("/count/2?end=gone")), [...items(1, 2), "fault GONE"]);
    assert.equal(asked.times, 2, "it came back once each, to a 204, and no handler ran for that");
    const thousands = await page.evaluate(call("/count/5000?end=end"));
    assert.deepEqual(thousands, [...items(1, 5_000), "end"]);
  });
});

test("an EventSource comes back after a failure that passes, and gives up after one that does not", async (context) => {
  const { server, asked } = await started(context);
  await inBrowser(context, async (page) => {
    await page.goto(`${server.url}/page`);
    assert.deepEqual(await page.evaluate(call("/count/1?end=busy")), ["fault BUSY", ...items(1, 1), "end"]);
    assert.equal(asked.times, 2);
    assert.deepEqual(await page.evaluate(call("/count/0?end=gone")), []);
    assert.equal(asked.times, 3);
  });
});

test("an EventSource goes on at the next server where the last one stopped", async (context) => {
  const { server, asked } = await started(context);
  const { port } = server;
  await inBrowser(context, async (page) => {
    await page.goto(`${server.url}/page`);
    const said = page.evaluate<string[]>(call("/count/20?end=stay", 30));
    while (asked.times === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.stop();
    const next = await serveUpTo(30, port);
    context.after(() => next.stop());
    assert.deepEqual(await said, items(1, 30));
  });
});

/** The next version of the same server, whose stream goes further. */
function serveUpTo(to: number, port: number): Promise<Server> {
  const app = implement(contract("live.v1", { count }), {
    handlers: {
      count: async function* ({ lastEventId }) {
        for (let n = Number(lastEventId ?? 0) + 1; n <= to; n++) yield event({ n }, { id: String(n) });
      },
    },
  });
  return serve(app, { port, signals: [], log: false });
}
