/**
 * A process of the `routes` benchmark: registers as many operations as it is told, once, and announces how long each step took;
 * then sends requests through the handler, in process. Nothing is compiled or warm when the clock starts: this is a start.
 */
import { bind, contract, implementContract, query, type Jobs } from "../../src/contract/index.ts";
import { ok, systemClock } from "../../src/core/index.ts";
import { createHttpHandler, type HttpRequest } from "../../src/http/index.ts";
import { t } from "../../src/schema/index.ts";
import { openApiDocument } from "../../src/openapi/index.ts";
import { Events } from "../../src/telemetry/index.ts";
import { announce, nowUs } from "../child.ts";
import type { DocumentOrder, DocumentReport, LookupOrder, LookupReport, RoutesReady } from "./protocol.ts";

// Ten operations to a resource, as an API of this size has them; no two share a schema.
const resourceOf = (i: number): string => `resource${Math.floor(i / 10)}`;

const operation = (i: number) =>
  query(`operation${i}`, {
    access: "public",
    http: `GET /v1/${resourceOf(i)}/{id}/part${i % 10}`,
    input: { id: t.int32({ minimum: 0 }) },
    output: t.object(`Answer${i}`, { id: t.int32(), name: t.string({ maxLength: 100 }) }),
  });

const handlerOf =
  (i: number) =>
  ({ input: { id } }: { readonly input: { readonly id: number } }) => ({ id, name: resourceOf(i) });

const count = Number(process.argv[2]);
const rssBefore = process.memoryUsage.rss();

const cpuBefore = process.cpuUsage();
const startedAt = nowUs();
const operations: { [name: string]: ReturnType<typeof operation> } = {};
for (let i = 0; i < count; i++) operations[`operation${i}`] = operation(i);
const all = contract("routes.v1", operations);
const declaredAt = nowUs();
const handlers: { [name: string]: ReturnType<typeof handlerOf> } = {};
for (let i = 0; i < count; i++) handlers[`operation${i}`] = handlerOf(i);
const app = bind(implementContract(all, { handlers }), {
  clock: systemClock,
  events: new Events(),
  // Nothing here enqueues.
  jobs: {} as Jobs,
  shutdown: new AbortController().signal,
  newId: () => "incident",
});
const boundAt = nowUs();
const handler = createHttpHandler(app);
const readyAt = nowUs();
const cpu = process.cpuUsage(cpuBefore);
const rssBytes = process.memoryUsage.rss();

const { signal } = new AbortController();
const noBody = ok(new Uint8Array());

/** What the engine hands over for a GET without headers. */
const requestTo = (i: number): HttpRequest => ({
  method: "GET",
  target: `/v1/${resourceOf(i)}/${i}/part${i % 10}`,
  header: () => undefined,
  headerPairs: () => [],
  body: () => noBody,
  bodyStream: () => {
    throw new Error("A GET has no body.");
  },
  signal,
  remoteAddress: "127.0.0.1",
});

const firstAt = nowUs();
const first = await handler(requestTo(0));
const firstUs = nowUs() - firstAt;
if (first.status !== 200) throw new Error(`The first request was answered with ${first.status}.`);

function writeDocument(): DocumentReport {
  const began = nowUs();
  JSON.stringify(openApiDocument(all));
  return { documentUs: nowUs() - began };
}

async function lookUp({ routes, requests }: LookupOrder): Promise<LookupReport> {
  const wrong: string[] = [];
  const chosen = Array.from({ length: routes }, (_, at) => Math.floor((at * count) / routes));
  const list = chosen.map(requestTo);
  for (const [at, request] of list.entries()) {
    const i = chosen[at] as number;
    const { status, body } = await handler(request);
    const expected = `{"id":${i},"name":"${resourceOf(i)}"}`;
    const text = typeof body === "string" ? body : Buffer.from(body as Uint8Array).toString();
    if ((status !== 200 || text !== expected) && wrong.length < 10)
      wrong.push(`${request.target} gave ${status} ${text} instead of ${expected}`);
  }
  const before = process.cpuUsage();
  let failed = 0;
  for (let sent = 0, at = 0; sent < requests; sent++, at = at + 1 === routes ? 0 : at + 1) {
    const answer = handler(list[at] as HttpRequest);
    const { status } = "then" in answer ? await answer : answer;
    if (status !== 200) failed++;
  }
  const { user, system } = process.cpuUsage(before);
  if (failed > 0) wrong.push(`${failed} of ${requests} requests were not answered with 200`);
  return { usPerRequest: (user + system) / requests, wrong };
}

const ready: RoutesReady = {
  declareUs: declaredAt - startedAt,
  implementUs: boundAt - declaredAt,
  handlerUs: readyAt - boundAt,
  firstUs,
  cpuUs: cpu.user + cpu.system,
  rssBytes,
  grownBytes: rssBytes - rssBefore,
};
announce(ready, async (order) => {
  const asked = order as LookupOrder | DocumentOrder;
  return "document" in asked ? writeDocument() : lookUp(asked);
});
