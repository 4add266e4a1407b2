import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Events,
  createMetrics,
  mergeSnapshots,
  metricsFormat,
  metricsText,
  type MetricsSnapshot,
  type RequestEnd,
} from "../index.ts";

function ended(change: Partial<RequestEnd> = {}): RequestEnd {
  return {
    method: "GET",
    route: "/cities/{id}",
    operation: "getCity",
    httpVersion: "1.1",
    requestId: "1",
    header: () => undefined,
    status: 200,
    fault: undefined,
    outcome: "answered",
    durationMs: 3,
    responseBytes: 100,
    ...change,
  };
}

function one(events: Events, change: Partial<RequestEnd> = {}): void {
  events.emit("request.start", ended(change));
  events.emit("request.end", ended(change));
}

async function page(events: Events, run: () => void, options: { maxRoutes?: number } = {}): Promise<string> {
  const metrics = createMetrics({ events, ...options });
  run();
  return metricsText(await metrics.snapshot(), "prometheus");
}

test("requests are counted by method, route and status, and their time in buckets", async () => {
  const events = new Events();
  const text = await page(events, () => {
    one(events);
    one(events, { durationMs: 30_000 });
    one(events, { status: 404, fault: "CITY_NOT_FOUND" });
    events.emit("request.start", ended());
  });
  assert.match(text, /^http_server_requests_total\{method="GET",route="\/cities\/\{id\}",status="200"\} 2$/m);
  assert.match(text, /^http_server_requests_total\{method="GET",route="\/cities\/\{id\}",status="404"\} 1$/m);
  assert.match(text, /^http_server_faults_total\{code="CITY_NOT_FOUND"\} 1$/m);
  assert.match(text, /^http_server_active_requests 1$/m);
  const bucket = (le: string): RegExp =>
    new RegExp(
      `^http_server_request_duration_seconds_bucket\\{method="GET",route="/cities/\\{id\\}",le="${le}"\\} `,
      "m",
    );
  const countOf = (le: string): string =>
    text
      .split("\n")
      .find((line) => bucket(le).test(line))
      ?.split(" ")[1] ?? "";
  assert.deepEqual(["0.0025", "0.005", "10", "\\+Inf"].map(countOf), ["0", "2", "2", "3"]);
  assert.match(text, /^http_server_request_duration_seconds_count\{.*\} 3$/m);
  assert.match(text, /^http_server_request_duration_seconds_sum\{.*\} 30\.006$/m);
});

test("what a client can choose makes no series: unknown methods and routes beyond the bound are others", async () => {
  const events = new Events();
  const text = await page(
    events,
    () => {
      for (let i = 0; i < 50; i++) one(events, { route: `/r${i}`, method: `M${i}` });
    },
    { maxRoutes: 3 },
  );
  const series = text.split("\n").filter((line) => line.startsWith("http_server_requests_total"));
  assert.deepEqual(series, [
    'http_server_requests_total{method="other",route="/r0",status="200"} 1',
    'http_server_requests_total{method="other",route="/r1",status="200"} 1',
    'http_server_requests_total{method="other",route="/r2",status="200"} 1',
    'http_server_requests_total{method="other",route="other",status="200"} 47',
  ]);
});

test("codes beyond the bound of a family are counted together", async () => {
  const events = new Events();
  const text = await page(events, () => {
    for (let i = 0; i < 2_100; i++) events.emit("store.trouble", { code: `C${i}`, message: "" });
  });
  const series = text.split("\n").filter((line) => line.startsWith("tensile_store_trouble_total{"));
  assert.equal(series.length, 2_001);
  assert.equal(series.at(-1), 'tensile_store_trouble_total{code="other"} 100');
});

test("jobs are counted by what became of them, and handed-back ones take no time", async () => {
  const events = new Events();
  const text = await page(events, () => {
    const base = { id: "1", name: "importCities", attempt: 1, durationMs: 20 };
    events.emit("job.enqueued", { id: "1", name: "importCities", duplicate: false });
    events.emit("job.enqueued", { id: "1", name: "importCities", duplicate: true });
    events.emit("job.attempt", { ...base, to: "succeeded" });
    events.emit("job.attempt", { ...base, to: "released" });
  });
  assert.match(text, /^tensile_jobs_enqueued_total\{job="importCities"\} 1$/m);
  assert.match(text, /^tensile_job_attempts_total\{job="importCities",outcome="released"\} 1$/m);
  assert.match(text, /^tensile_job_attempt_duration_seconds_count\{job="importCities"\} 1$/m);
});

test("a source that fails is left out; the page comes all the same", async () => {
  const metrics = createMetrics({
    events: new Events(),
    sources: [
      () => {
        throw new Error("broken");
      },
      async () => Promise.reject(new Error("later")),
      () => [{ name: "x", type: "gauge", help: "h", labels: [], merge: "sum", series: [{ labels: [], value: 7 }] }],
    ],
  });
  assert.match(metricsText(await metrics.snapshot(), "prometheus"), /^x 7$/m);
});

test("metrics that were stopped listen no more", async () => {
  const events = new Events();
  const metrics = createMetrics({ events });
  metrics.stop();
  assert.equal(events.observesRequests, false);
  one(events);
  assert.doesNotMatch(metricsText(await metrics.snapshot(), "prometheus"), /http_server_requests_total\{/);
});

test("snapshots of several threads are one: counts add up, what all see alike does not, and they travel as plain data", async () => {
  const gauge = (value: number): (() => MetricsSnapshot["families"]) => {
    return () => [{ name: "rss", type: "gauge", help: "h", labels: [], merge: "max", series: [{ labels: [], value }] }];
  };
  const snapshots: MetricsSnapshot[] = [];
  for (const [index, rss] of [5, 9, 7].entries()) {
    const events = new Events();
    const metrics = createMetrics({ events, sources: [gauge(rss)] });
    one(events);
    if (index === 2) one(events, { route: "/only/here" });
    snapshots.push(structuredClone(await metrics.snapshot()));
  }
  const text = metricsText(mergeSnapshots(snapshots), "prometheus");
  assert.match(text, /^http_server_requests_total\{method="GET",route="\/cities\/\{id\}",status="200"\} 3$/m);
  assert.match(text, /^http_server_requests_total\{method="GET",route="\/only\/here",status="200"\} 1$/m);
  assert.match(
    text,
    /^http_server_request_duration_seconds_bucket\{method="GET",route="\/cities\/\{id\}",le="0.005"\} 3$/m,
  );
  assert.match(text, /^rss 9$/m);
});

test("OpenMetrics is written for who asks for it, and ends with its mark", async () => {
  assert.equal(metricsFormat(undefined), "prometheus");
  assert.equal(metricsFormat("*/*"), "prometheus");
  assert.equal(metricsFormat("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.3"), "openmetrics");
  assert.equal(metricsFormat("application/openmetrics-text; version=0.0.1, text/plain"), "prometheus");
  assert.equal(metricsFormat("application/openmetrics-text;q=0, text/plain"), "prometheus");
  const events = new Events();
  const metrics = createMetrics({ events });
  one(events);
  const text = metricsText(await metrics.snapshot(), "openmetrics");
  assert.match(text, /^# TYPE http_server_requests counter$/m);
  assert.match(text, /^# UNIT http_server_request_duration_seconds seconds$/m);
  assert.match(text, /le="1\.0"/);
  assert.ok(text.endsWith("\n# EOF\n"));
});

test("a label's value cannot break out of its quotes", async () => {
  const events = new Events();
  const text = await page(events, () => events.emit("store.trouble", { code: 'a"b\\c\nd', message: "" }));
  assert.ok(text.includes('tensile_store_trouble_total{code="a\\"b\\\\c\\nd"} 1\n'));
});
