/**
 * Chaos with real processes: workers on one store, producers over HTTP, and a script of faults out of a seed. In the end everything heals, what is left is
 * worked off, and the checker of the simulation reads all ledgers and the store.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Random, seededRandom } from "../../src/core/index.ts";
import type { JobRecord } from "../../src/jobs/index.ts";
import { checkHistory } from "../simulation/check.ts";
import type { HistoryEvent } from "../simulation/history.ts";
import type { Violation } from "../simulation/violation.ts";
import { type kinds, promises } from "./app.ts";
import { ledgerFile, type Write } from "./ledger-store.ts";

/** Where the jobs of the chaos are, and what can be done to that place. */
export interface ChaosPlace {
  readonly kind: "sqlite" | "postgres";
  readonly address: string;
  readonly workers: number;
  /** The kinds of job whose promises the store keeps. */
  readonly kinds: readonly (typeof kinds)[number][];
  /** A process that stands still for longer loses its claims. Absent: nobody could take them. */
  readonly leaseMs?: number;
  /** Faults of its own: a restart, a full disk. Resolves when it is over. `pause`: for how long such a thing lasts. */
  readonly faults: readonly { readonly name: string; act(random: Random): Promise<void> }[];
  /** All jobs, when no process has the store open. */
  records(): Promise<readonly JobRecord[]>;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly ms: number;
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly violations: readonly Violation[];
  readonly acknowledged: number;
  readonly refused: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly events: readonly HistoryEvent[];
}

export async function chaos(place: ChaosPlace, options: ChaosOptions): Promise<ChaosReport> {
  const folder = mkdtempSync(join(tmpdir(), "tensile-chaos-"));
  const run = new Chaos(place, options, folder);
  try {
    return await run.play();
  } finally {
    await run.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Life {
  readonly name: string;
  readonly child: ChildProcess;
  port: number | undefined;
}

const program = fileURLToPath(new URL("./process.ts", import.meta.url));
const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

class Chaos {
  readonly #place: ChaosPlace;
  readonly #options: ChaosOptions;
  readonly #folder: string;
  readonly #random: Random;
  readonly #write: Write;
  readonly #lives = new Map<number, Life>();
  readonly #faults = new Map<string, number>();
  #lifeCount = 0;
  #acknowledged = 0;
  #refused = 0;
  #healed = false;

  constructor(place: ChaosPlace, options: ChaosOptions, folder: string) {
    this.#place = place;
    this.#options = options;
    this.#folder = folder;
    this.#random = seededRandom(options.seed);
    this.#write = ledgerFile(join(folder, "conductor.ledger"));
  }

  async play(): Promise<ChaosReport> {
    const { ms, say } = this.#options;
    for (let slot = 1; slot <= this.#place.workers; slot++) await this.#start(slot);
    const over = new AbortController();
    const producers = [1, 2, 3].map((seed) => this.#produce(seededRandom(this.#options.seed * 10 + seed), over.signal));
    const until = performance.now() + ms;
    while (performance.now() < until) {
      await wait(200 + this.#random.int(1_000));
      await this.#disturb();
    }
    this.#healed = true;
    over.abort();
    await Promise.all(producers);
    for (let slot = 1; slot <= this.#place.workers; slot++) if (!this.#lives.has(slot)) await this.#start(slot);
    say?.(
      `healed after ${[...this.#faults.values()].reduce((sum, count) => sum + count, 0)} faults, working off the rest`,
    );
    await this.#workOff();
    await this.end();
    this.#write({ kind: "final", records: await this.#place.records() });
    const events = this.#read();
    const violations = checkHistory(events, promises, { unheard: "may be done" });
    return { violations, acknowledged: this.#acknowledged, refused: this.#refused, faults: this.#faults, events };
  }

  async end(): Promise<void> {
    for (const { child } of this.#lives.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await once(child, "exit");
      clearTimeout(killer);
    }
    this.#lives.clear();
  }

  /** A new life of a worker; about every third believes in another time, where libfaketime is installed. */
  async #start(slot: number): Promise<void> {
    const name = `w${slot}.${++this.#lifeCount}`;
    const moved = existsSync(faketime) && this.#random.int(3) === 0 && !this.#healed;
    // Retries are due by the wall clock, so what a fast clock has scheduled waits for so long under a right one.
    const seconds = this.#random.int(31) - 15;
    if (moved) this.#count("clock moved");
    const ledger = join(this.#folder, `${name}.ledger`);
    const log = openSync(join(this.#folder, `${name}.log`), "a");
    const child = spawn(process.execPath, [program, this.#place.kind, this.#place.address, name, ledger], {
      stdio: ["ignore", "pipe", log],
      env: {
        ...process.env,
        ...(moved && {
          LD_PRELOAD: faketime,
          FAKETIME: `${seconds >= 0 ? "+" : ""}${seconds}s`,
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        }),
      },
    });
    closeSync(log);
    const life: Life = { name, child, port: undefined };
    this.#lives.set(slot, life);
    const opened = Promise.withResolvers<void>();
    createInterface({ input: child.stdout as Readable }).on("line", (line) => {
      if (!line.startsWith("port ")) return;
      life.port = Number(line.slice(5));
      opened.resolve();
    });
    child.once("exit", () => {
      life.port = undefined;
      opened.resolve();
      if (this.#lives.get(slot) === life && !this.#healed) this.#lives.delete(slot);
    });
    await Promise.race([opened.promise, wait(20_000)]);
  }

  async #produce(random: Random, over: AbortSignal): Promise<void> {
    for (let n = 0; !over.aborted; n++) {
      const lives = [...this.#lives.values()].filter(({ port }) => port !== undefined);
      const life = lives[random.int(Math.max(1, lives.length))];
      if (life === undefined) {
        await wait(50);
        continue;
      }
      const able = this.#place.kinds;
      const kind = able[random.int(able.length)] ?? "plain";
      const ms = random.int(2) === 0 ? 0 : random.int(300);
      const input = { kind, n, ms, failures: random.int(6) === 0 ? 1 + random.int(3) : 0, key: `k${random.int(4)}` };
      try {
        const answer = await fetch(`http://127.0.0.1:${life.port}/jobs`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(input),
          signal: AbortSignal.timeout(2_000),
        });
        if (answer.ok) this.#acknowledged++;
        else this.#refused++;
        await answer.arrayBuffer();
      } catch {
        this.#refused++;
      }
      await wait(random.int(30));
    }
  }

  async #disturb(): Promise<void> {
    const { faults, leaseMs } = this.#place;
    const slots = [...this.#lives];
    const [slot, life] = slots[this.#random.int(Math.max(1, slots.length))] ?? [];
    const what = this.#random.int(2 + faults.length);
    if (slots.length < this.#place.workers) await this.#restartMissing();
    if (slot === undefined || life === undefined) return;
    if (what === 0) {
      this.#count("kill -9");
      this.#lost(life, "it is killed");
      this.#lives.delete(slot);
      life.child.kill("SIGKILL");
      if (this.#place.workers === 1) await once(life.child, "exit");
      await this.#start(slot);
      return;
    }
    if (what === 1) {
      this.#count("SIGSTOP");
      this.#lost(life, "it stands still");
      life.child.kill("SIGSTOP");
      await wait(leaseMs === undefined ? 500 + this.#random.int(1_500) : leaseMs + 1_000 + this.#random.int(3_000));
      this.#lost(life, "it goes on");
      life.child.kill("SIGCONT");
      await wait(1_000);
      this.#lost(life, "it has gone on");
      return;
    }
    const fault = faults[what - 2];
    if (fault === undefined) return;
    this.#count(fault.name);
    for (const each of this.#lives.values()) this.#lost(each, fault.name);
    await fault.act(this.#random);
    await wait(500);
    for (const each of this.#lives.values()) this.#lost(each, `${fault.name} is over`);
  }

  async #restartMissing(): Promise<void> {
    for (let slot = 1; slot <= this.#place.workers; slot++) if (!this.#lives.has(slot)) await this.#start(slot);
  }

  #lost({ name }: Life, why: string): void {
    this.#write({ kind: "lost", worker: name, why });
  }

  #count(what: string): void {
    this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
    this.#options.say?.(what);
  }

  /** Until no job is left, two minutes at most: what is left then is told by the checker. */
  async #workOff(): Promise<void> {
    for (const until = performance.now() + 120_000; performance.now() < until; await wait(200)) {
      const life = [...this.#lives.values()].find(({ port }) => port !== undefined);
      if (life === undefined) continue;
      try {
        const answer = await fetch(`http://127.0.0.1:${life.port}/left`, { signal: AbortSignal.timeout(5_000) });
        const { left } = (await answer.json()) as { left?: number };
        if (left === 0) return;
      } catch {
        // It is asked again.
      }
    }
  }

  #read(): HistoryEvent[] {
    const events: HistoryEvent[] = [];
    for (const file of readdirSync(this.#folder)) {
      if (!file.endsWith(".ledger")) continue;
      // A process that was killed may have left half a line.
      for (const line of readFileSync(join(this.#folder, file), "utf8").split("\n").slice(0, -1))
        events.push(JSON.parse(line) as HistoryEvent);
    }
    return events.sort((one, other) => one.at - other.at);
  }
}
