/** An engine for a test: closed when the test ends, and a defect of the handler fails it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { createEngine, type Engine, type EngineOptions } from "../index.ts";
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
