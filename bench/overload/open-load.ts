/**
 * The load of the `overload` benchmark, in a process of its own: callers that do not care how the server feels. Requests leave
 * on a fixed schedule, each on a connection that is free or on a new one; a caller that has not been answered by its deadline
 * closes its connection, as callers do. Closed loop, for the peak: so many callers, each asks again when it was answered.
 */
import { connect, type Socket } from "node:net";
import { type Answer, answerReader, type AnswerReader } from "../answer-reader.ts";
import { announce, nowUs } from "../child.ts";
import { histogram } from "../histogram.ts";
import type { LoadRequest } from "../load.ts";
import { type Measured, start } from "../processes.ts";

export interface OverloadPlan {
  readonly port: number;
  readonly requests: readonly LoadRequest[];
  readonly ms: number;
  /** Open loop at this rate. */
  readonly ratePerSecond?: number;
  /** Closed loop with so many callers. */
  readonly callers?: number;
  /** Connections at once; a caller that finds none has failed. */
  readonly connections: number;
  readonly deadlineMs: number;
}

export interface OverloadReport {
  readonly seconds: number;
  readonly offered: number;
  /** Answered as asked, within the deadline. */
  readonly good: number;
  /** Answered 503 or 429. */
  readonly refused: number;
  /** Not answered in time, or not at all. */
  readonly failed: number;
  readonly p50Ms: number;
  /** Of what was answered as asked. */
  readonly p99Ms: number;
  readonly refusalP99Ms: number;
  /** Retry-After is told, and how many ways. */
  readonly lateP99Ms: number;
  readonly errors: { readonly [what: string]: number };
}

interface Line {
  readonly socket: Socket;
  readonly reader: AnswerReader;
  request: LoadRequest | undefined;
  dueAt: number;
}

/** Runs one plan and closes its connections. */
export async function openOverload(plan: OverloadPlan): Promise<OverloadReport> {
  const { requests, connections, deadlineMs, ratePerSecond } = plan;
  const latencies = histogram();
  const refusals = histogram();
  const lateness = histogram();
  const errors: { [what: string]: number } = {};
  const counts = { offered: 0, good: 0, refused: 0, failed: 0 };
  const lines = new Set<Line>();
  const free: Line[] = [];
  const shared = Buffer.allocUnsafe(64 * 1024);
  let asking = true;
  const next = (): LoadRequest => requests[counts.offered % requests.length] as LoadRequest;

  const drop = (line: Line): void => {
    if (!lines.delete(line)) return;
    line.socket.destroy();
    if (line.request !== undefined) counts.failed++;
    line.request = undefined;
    if (asking && ratePerSecond === undefined) ask(nowUs());
  };
  const judge = (line: Line, { status, bodyLength, closes }: Answer): void => {
    const { request } = line;
    if (request === undefined) return drop(line);
    line.request = undefined;
    const us = nowUs() - line.dueAt;
    if (status === 503 || status === 429) {
      counts.refused++;
      refusals.record(us);
    } else if (status === request.expect.status && bodyLength === request.expect.body.length) {
      latencies.record(us);
      if (us <= deadlineMs * 1000) counts.good++;
      else counts.failed++;
    } else errors[`${status} with ${bodyLength} bytes`] = (errors[`${status} with ${bodyLength} bytes`] ?? 0) + 1;
    if (closes) return drop(line);
    free.push(line);
    if (asking && ratePerSecond === undefined) ask(nowUs());
  };
  const open = (): Line => {
    const socket = connect({
      port: plan.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: shared,
        callback(length) {
          try {
            const answer = line.reader.read(shared, length);
            if (answer !== undefined) judge(line, answer);
          } catch (error) {
            errors[String(error)] = (errors[String(error)] ?? 0) + 1;
            drop(line);
          }
          return true;
        },
      },
    });
    const line: Line = { socket, reader: answerReader(), request: undefined, dueAt: 0 };
    socket.on("error", () => drop(line));
    socket.on("close", () => drop(line));
    lines.add(line);
    return line;
  };
  const ask = (dueAt: number): void => {
    const request = next();
    counts.offered++;
    let line = free.pop();
    while (line !== undefined && !lines.has(line)) line = free.pop();
    if (line === undefined && lines.size < connections) line = open();
    if (line === undefined) return void counts.failed++;
    line.request = request;
    line.dueAt = dueAt;
    line.socket.write(request.text, "latin1");
  };
  const giveUp = (): void => {
    const before = nowUs() - deadlineMs * 1000;
    for (const line of lines) if (line.request !== undefined && line.dueAt < before) drop(line);
  };

  const startedAt = nowUs();
  const until = startedAt + plan.ms * 1000;
  const sweeper = setInterval(giveUp, 20);
  if (ratePerSecond === undefined) {
    for (let i = 0; i < (plan.callers ?? 1); i++) ask(nowUs());
    await new Promise((resolve) => setTimeout(resolve, plan.ms));
  } else
    await pace(startedAt, until, 1e6 / ratePerSecond, (dueAt, now) => {
      lateness.record(now - dueAt);
      ask(now);
    });
  asking = false;
  const seconds = (nowUs() - startedAt) / 1e6;
  const end = nowUs() + deadlineMs * 1000 + 50_000;
  while (nowUs() < end && [...lines].some(({ request }) => request !== undefined))
    await new Promise((resolve) => setTimeout(resolve, 10));
  clearInterval(sweeper);
  giveUp();
  for (const line of lines) line.socket.destroy();
  return {
    seconds,
    ...counts,
    p50Ms: latencies.percentile(0.5) / 1000,
    p99Ms: latencies.percentile(0.99) / 1000,
    refusalP99Ms: refusals.percentile(0.99) / 1000,
    lateP99Ms: lateness.percentile(0.99) / 1000,
    errors,
  };
}

/** Calls `ask` for every time that has come. */
function pace(from: number, until: number, gapUs: number, ask: (dueAt: number, now: number) => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = 0;
    const tick = (): void => {
      const now = nowUs();
      for (let due = from + asked * gapUs; due <= now && due < until; due = from + asked * gapUs) {
        asked++;
        ask(due, now);
      }
      if (now >= until) resolve();
      else setTimeout(tick, 1);
    };
    tick();
  });
}

export interface OverloadGenerator {
  run(plan: OverloadPlan): Promise<OverloadReport>;
  stop(): Promise<void>;
}

export async function startOverloadGenerator(core: number | undefined): Promise<OverloadGenerator> {
  const child: Measured = await start("the callers", import.meta.filename, core === undefined ? {} : { core });
  return {
    run: async (plan) => (await child.order(plan)) as OverloadReport,
    stop: () => child.stop(),
  };
}

if (import.meta.main) announce("callers", async (plan) => openOverload(plan as OverloadPlan));
