/** An engine for a test: closed when the test ends, and a defect of the handler fails it. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { HttpHandler } from "../../../exchange/index.ts";
import { createEngine, type Engine, type EngineOptions, type ReadMode } from "../index.ts";
import { RawClient } from "./raw-client.ts";

export interface StartedEngine {
  readonly engine: Engine;
  /** Connects. */
  readonly client: () => RawClient;
}

export async function startEngine(t: TestContext, options: EngineOptions): Promise<StartedEngine> {
  const engine = createEngine({ onDefect: ({ error }) => assert.fail(String(error)), ...options });
  const listening = await engine.listen({ port: 0 });
  assert.ok(listening.ok);
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.destroy();
    await engine.close();
  });
  const { port } = listening.value;
  const client = (): RawClient => {
    const made = new RawClient(port);
    clients.push(made);
    return made;
  };
  return { engine, client };
}

/** The ways in which an engine reads: what is promised holds in both. */
export const readModes = ["static", "events"] as const satisfies readonly ReadMode[];

interface ReadModeTests {
  /** An engine that reads in this way. */
  start(
    t: TestContext,
    handler: HttpHandler,
    options?: Omit<EngineOptions, "handler" | "readMode">,
  ): Promise<StartedEngine>;
  /** A test with the way in its name, and 20 s at the most. */
  it(name: string, body: (t: TestContext) => Promise<void>): void;
}

export function testsOf(readMode: ReadMode): ReadModeTests {
  return {
    start: async (t, handler, options = {}) => startEngine(t, { ...options, handler, readMode }),
    it: (name, body) => void test(`${name} (${readMode})`, { timeout: 20_000 }, body),
  };
}
