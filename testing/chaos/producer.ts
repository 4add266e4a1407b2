/** A producer of the chaos: enqueues over HTTP at whichever process serves, and now and then cancels, runs again or signals what it knows. */
import { setTimeout as wait } from "node:timers/promises";
import type { Random } from "../../src/core/index.ts";
import { kinds } from "./app.ts";

export async function produce(
  random: Random,
  port: () => number | undefined,
  over: AbortSignal,
  enqueued: (ok: boolean) => void,
): Promise<void> {
  const known: string[] = [];
  for (let n = 0; !over.aborted; n++) {
    const at = port();
    if (at === undefined) {
      await wait(50);
      continue;
    }
    const id = known[random.int(Math.max(1, known.length))];
    if (id !== undefined && random.int(5) === 0) {
      // Signals go to the newest, which may still wait for them.
      const what = (["signal", "signal", "cancel", "retry"] as const)[random.int(4)] ?? "signal";
      await post(at, "/meddle", { id: what === "signal" ? (known.at(-1 - random.int(5)) ?? id) : id, what, v: n });
    } else {
      const kind = kinds[random.int(kinds.length)] ?? "plain";
      const ms = random.int(2) === 0 ? 0 : random.int(300);
      const input = { kind, n, ms, failures: random.int(6) === 0 ? 1 + random.int(3) : 0, key: `k${random.int(4)}` };
      const made = await post(at, "/jobs", input);
      enqueued(made !== undefined);
      if (made !== undefined) known.push(made);
    }
    await wait(random.int(40));
  }
}

/** The id that the answer names; undefined: it was refused, or there was none. */
export async function post(port: number, path: string, body: object): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(2_000),
    });
    const said = (await answer.json()) as { readonly id?: string };
    return answer.ok ? said.id : undefined;
  } catch {
    return undefined;
  }
}

/** How many jobs are unfinished; undefined: nobody says. */
export async function jobsLeft(port: number): Promise<number | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/left`, { signal: AbortSignal.timeout(5_000) });
    return ((await answer.json()) as { readonly left?: number }).left;
  } catch {
    return undefined;
  }
}
