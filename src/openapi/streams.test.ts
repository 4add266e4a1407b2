import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { inBrowser } from "../../tools/browser.ts";
import { contract, event, subscription } from "../contract/index.ts";
import { t } from "../schema/index.ts";
import { implement, serve } from "../serve/index.ts";
import { openApiDocument } from "./index.ts";

const Change = t.object("Change", { n: t.int32() });
const changes = subscription("changes", {
  access: "public",
  http: "GET /changes",
  input: { country: t.optional(t.string()) },
  output: Change,
  resume: true,
});
const live = contract("live.v1", { changes });

test("a subscription is described: both forms, how to come back, and its failures", async () => {
  const document = openApiDocument(live, { license: { name: "MIT", identifier: "MIT" } });
  const operation = document.paths["/changes"]?.["get"] as {
    readonly parameters: readonly { readonly name: string; readonly in: string }[];
    readonly responses: { readonly [status: string]: { readonly $ref?: string; readonly content?: object } };
  };
  assert.deepEqual(
    operation.parameters.map((one) => `${one.in} ${one.name}`),
    ["query country", "header Last-Event-ID", "query lastEventId"],
  );
  const schema = { $ref: "#/components/schemas/Change" };
  assert.deepEqual(operation.responses["200"]?.content, {
    "text/event-stream": { schema },
    "application/x-ndjson": { schema },
  });
  assert.match(operation.responses["503"]?.$ref ?? "", /TooManyStreams/);
  const verdict = await new Validator().validate(structuredClone(document) as never);
  assert.deepEqual(verdict.errors ?? [], []);
});

async function start(context: TestContext): Promise<string> {
  const app = implement(live, {
    handlers: {
      changes: async function* ({ signal }) {
        for (let n = 1; n <= 3; n++) yield event({ n }, { id: String(n) });
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      },
    },
  });
  const server = await serve(app, { port: 0, signals: [], log: false, docs: true });
  context.after(() => server.stop());
  return server.url;
}

test("the docs page shows a stream as it comes, until the reader stops it", async (context) => {
  const url = await start(context);
  await inBrowser(context, async (page, problems) => {
    await page.goto(`${url}/docs`);
    await page.waitForSelector("details.operation");
    await page.click("#changes > summary");
    await page.click("#changes button");
    await page.waitForFunction(() => document.querySelector("#changes .stream")?.textContent?.includes('{"n":3}'));
    await page.click("#changes .answer button");
    await page.waitForSelector("#changes .status");
    assert.match((await page.textContent("#changes .status")) ?? "", /^200 /);
    assert.match((await page.textContent("#changes .answer")) ?? "", /data: \{"n":3\}[\s\S]*curl -i -N/);
    assert.deepEqual(problems, []);
  });
});
