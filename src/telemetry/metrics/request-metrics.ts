/**
 * What requests are counted by: method, route template, status. Nothing that a client can choose freely becomes a label, so that
 * a scan of a million paths makes no series.
 */
import type { Events, RequestEnd } from "../events.ts";
import { counters, gauges, histograms, otherLabel, type Counter, type Family, type Histogram } from "./instruments.ts";

/** Seconds. The boundaries of OpenTelemetry's `http.server.request.duration`, and two below them. */
const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const byteBounds = [0, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
/** Others stand as `other`: behind `fetch` and HTTP/2 a method can be any token. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]);

/** The series of one method of one route, found once. */
interface RouteSeries {
  readonly duration: Histogram;
  readonly byStatus: Map<number, Counter>;
}

export class RequestMetrics {
  readonly #maxRoutes: number;
  readonly #routes = new Map<string, Map<string, RouteSeries>>();
  readonly #requests = counters({
    name: "http_server_requests",
    help: "Requests answered, by method, route template and status.",
    labels: ["method", "route", "status"],
    maxSeries: 10_000,
  });
  readonly #durations = histograms(
    {
      name: "http_server_request_duration_seconds",
      help: "From the arrival of a request's head at the handler until its answer was handed to the connection.",
      labels: ["method", "route"],
    },
    durationBounds,
  );
  readonly #inFlight = gauges({ name: "http_server_active_requests", help: "Requests that are being handled." });
  readonly #responseBytes = histograms(
    { name: "http_server_response_body_bytes", help: "Bytes of answers' bodies, before framing." },
    byteBounds,
  );
  readonly #requestBytes = histograms(
    { name: "http_server_request_body_bytes", help: "Content-Length of requests that have one." },
    byteBounds,
  );
  readonly #faults = counters({
    name: "http_server_faults",
    help: "Requests answered with a fault, by its code.",
    labels: ["code"],
  });
  readonly #shed = counters({
    name: "http_server_requests_shed",
    help: "Requests refused to keep the server well, by reason.",
    labels: ["reason"],
    maxSeries: 100,
  });
  readonly #aborted = this.#byRoute("aborted", "Requests whose client left before the answer was handed over.");
  readonly #timedOut = this.#byRoute("timed_out", "Requests that a deadline answered.");
  readonly #subscriptions = gauges({
    name: "subscriptions_active",
    help: "Streams of subscriptions that are open.",
    labels: ["operation"],
  });
  readonly #items = counters({
    name: "subscription_items",
    help: "Items sent by subscriptions that have ended.",
    labels: ["operation"],
  });
  readonly families = [
    this.#requests,
    this.#durations,
    this.#inFlight,
    this.#responseBytes,
    this.#requestBytes,
    this.#faults,
    this.#shed,
    this.#aborted,
    this.#timedOut,
    this.#subscriptions,
    this.#items,
  ];

  /** `maxRoutes`: routes with series of their own; further ones share those of `other`. */
  constructor(maxRoutes: number) {
    this.#maxRoutes = maxRoutes;
  }

  listen(events: Events): (() => void)[] {
    const active = this.#inFlight.of();
    return [
      events.on("request.start", () => void active.value++),
      events.on("request.end", (end) => {
        active.value--;
        this.#ended(end);
      }),
      events.on("request.shed", ({ reason }) => void this.#shed.of(reason).value++),
      events.on("request.aborted", ({ route }) => void this.#aborted.of(this.#label(route)).value++),
      events.on("request.timed_out", ({ route }) => void this.#timedOut.of(this.#label(route)).value++),
      events.on("subscription.start", ({ operation }) => void this.#subscriptions.of(operation).value++),
      events.on("subscription.end", ({ operation, items }) => {
        this.#subscriptions.of(operation).value--;
        this.#items.of(operation).value += items;
      }),
    ];
  }

  #ended(end: RequestEnd): void {
    const { status, fault, responseBytes } = end;
    const series = this.#seriesOf(end.method, end.route);
    series.duration.observe(end.durationMs / 1000);
    let counter = series.byStatus.get(status);
    if (counter === undefined) {
      counter = this.#requests.of(methodLabel(end.method), this.#label(end.route), String(status));
      series.byStatus.set(status, counter);
    }
    counter.value++;
    if (fault !== undefined) this.#faults.of(fault).value++;
    if (responseBytes !== undefined) this.#responseBytes.of().observe(responseBytes);
    if (end.method === "GET") return;
    const length = end.header("content-length");
    if (length !== undefined && /^\d{1,15}$/.test(length)) this.#requestBytes.of().observe(Number(length));
  }

  #seriesOf(method: string, route: string): RouteSeries {
    const label = methodLabel(method);
    const known = this.#label(route);
    let ofRoute = this.#routes.get(known);
    if (ofRoute === undefined) this.#routes.set(known, (ofRoute = new Map<string, RouteSeries>()));
    let series = ofRoute.get(label);
    if (series === undefined) {
      series = { duration: this.#durations.of(label, known), byStatus: new Map() };
      ofRoute.set(label, series);
    }
    return series;
  }

  #label(route: string): string {
    return this.#routes.has(route) || this.#routes.size < this.#maxRoutes ? route : otherLabel;
  }

  #byRoute(what: string, help: string): Family<Counter> {
    return counters({ name: `http_server_requests_${what}`, help, labels: ["route"] });
  }
}

function methodLabel(method: string): string {
  return methods.has(method) ? method : otherLabel;
}
