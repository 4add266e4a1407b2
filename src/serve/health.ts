/**
 * Two questions that an orchestrator asks. `/livez`: is the process able to answer at all? `/readyz`: shall it get traffic? The
 * second turns to 503 the moment a drain begins, before connections close.
 */
import type { Lifecycle } from "../core/index.ts";
import { HeaderBlock, type ExtraRoute, type HttpResponse } from "../http/index.ts";

const headers = new HeaderBlock(["content-type", "application/json", "cache-control", "no-store"]);
const live: HttpResponse = { status: 200, headers, body: '{"status":"live"}' };
const ready: HttpResponse = { status: 200, headers, body: '{"status":"ready"}' };
const notReady: HttpResponse = {
  status: 503,
  headers: headers.with("retry-after", "1"),
  body: '{"status":"not ready"}',
};

export function healthRoutes(phase: () => Lifecycle["phase"]): readonly ExtraRoute[] {
  return [
    { method: "GET", path: "/livez", handle: () => live, priority: "critical" },
    {
      method: "GET",
      path: "/readyz",
      handle: () => (phase() === "ready" ? ready : notReady),
      priority: "critical",
    },
  ];
}
