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
import { isFinished, type JobRecord } from "../../src/jobs/index.ts";
import { checkHistory } from "../simulation/check.ts";
import type { HistoryEvent } from "../simulation/history.ts";
import type { Violation } from "../simulation/violation.ts";
import { byItself, promises } from "./app.ts";
import { ledgerFile, now, type Write } from "./ledger-store.ts";
import { jobsLeft, post, produce } from "./producer.ts";

/** Where the jobs of the chaos are, and what can be done to that place. */
export interface ChaosPlace {
  /** For the process: its kind, its address and its lease. */
  readonly arguments: readonly [kind: "sqlite" | "postgres", address: string, leaseMs: string];
  readonly workers: number;
  /** A process that stands still for longer loses its claims. */
  readonly leaseMs: number;
  /** Faults of its own: a restart, a full disk. Resolves when it is over. */
  readonly faults: readonly { readonly name: string; act(random: Random): Promise<void> }[];
  /** All jobs, when no process has the store open. */
  records(): Promise<readonly JobRecord[]>;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly ms: number;
  /** Goes on after that time until so much has happened, on a machine that has little time for it: a minute and a half at most. */
  readonly atLeast?: { readonly acknowledged: number; readonly faults: number };
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
  let isBroken = false;
  try {
    const report = await run.play();
    isBroken = report.violations.length > 0;
    return report;
  } finally {
    await run.end();
    // What was done, and what each process knew, line by line: nothing else tells why a promise was broken.
    if (isBroken) options.say?.(`the history of all processes is kept in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
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
    const { ms, atLeast = { acknowledged: 0, faults: 0 }, say } = this.#options;
    await this.#startMissing();
    const over = new AbortController();
    const producers = [1, 2, 3].map((number) => {
      const random = seededRandom(this.#options.seed * 10 + number);
      return produce(
        random,
        () => this.#anyPort(random),
        over.signal,
        (ok) => this.#answered(ok),
      );
    });
    const until = performance.now() + ms;
    const late = until + 90_000;
    const enough = (): boolean => this.#acknowledged >= atLeast.acknowledged && this.#faultCount >= atLeast.faults;
    while (performance.now() < until || (!enough() && performance.now() < late)) {
      await wait(200 + this.#random.int(1_000));
      await this.#disturb();
    }
    this.#healed = true;
    over.abort();
    await Promise.all(producers);
    await this.#startMissing();
    say?.(`healed after ${this.#faultCount} faults, working off the rest`);
    await this.#workOff();
    await this.end();
    const records = await this.#place.records();
    this.#write({ kind: "final", records });
    const events = this.#read();
    const violations = checkHistory(events, promises, {
      unheard: "may be done",
      tooLate: afterTheLast(records),
      epochsAreLeases: this.#place.arguments[0] === "postgres",
    });
    return { violations, acknowledged: this.#acknowledged, refused: this.#refused, faults: this.#faults, events };
  }

  #answered(ok: boolean): void {
    if (ok) this.#acknowledged++;
    else this.#refused++;
  }

  get #faultCount(): number {
    return [...this.#faults.values()].reduce((sum, count) => sum + count, 0);
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
    // On SQLite retries are due by the wall clock of the process, so what a fast one has scheduled waits for so long under a right one.
    const seconds = this.#random.int(31) - 15;
    if (moved) this.#count("clock moved");
    const ledger = join(this.#folder, `${name}.ledger`);
    const log = openSync(join(this.#folder, `${name}.log`), "a");
    const child = spawn(process.execPath, [program, ...this.#place.arguments, name, ledger], {
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

  async #disturb(): Promise<void> {
    const { faults, leaseMs } = this.#place;
    const slots = [...this.#lives];
    const [slot, life] = slots[this.#random.int(Math.max(1, slots.length))] ?? [];
    const what = this.#random.int(2 + faults.length);
    if (slots.length < this.#place.workers) await this.#startMissing();
    if (slot === undefined || life === undefined) return;
    if (what === 0) {
      this.#count("kill -9");
      this.#lost(life, "it is killed");
      this.#lives.delete(slot);
      life.child.kill("SIGKILL");
      await this.#start(slot);
      return;
    }
    if (what === 1) {
      this.#count("SIGSTOP");
      const since = this.#lost(life, "it stands still");
      life.child.kill("SIGSTOP");
      await wait(this.#random.int(3) === 0 ? this.#random.int(leaseMs) : leaseMs + 500 + this.#random.int(leaseMs));
      this.#lost(life, "it goes on");
      life.child.kill("SIGCONT");
      await wait(1_000);
      this.#lost(life, "it has gone on", since);
      return;
    }
    const fault = faults[what - 2];
    if (fault === undefined) return;
    this.#count(fault.name);
    const since = now() * 1_000;
    for (const each of this.#lives.values()) this.#lost(each, fault.name);
    await fault.act(this.#random);
    await wait(500);
    for (const each of this.#lives.values()) this.#lost(each, `${fault.name} is over`, since);
  }

  async #startMissing(): Promise<void> {
    const missing = Array.from({ length: this.#place.workers }, (_, index) => index + 1).filter(
      (slot) => !this.#lives.has(slot),
    );
    await Promise.all(missing.map((slot) => this.#start(slot)));
  }

  /** `since`: from then on until now it may have lost anything. Returns the time. */
  #lost({ name }: Life, why: string, since?: number): number {
    this.#write({ kind: "lost", worker: name, why, ...(since !== undefined && { since }) });
    return now() * 1_000;
  }

  #count(what: string): void {
    this.#faults.set(what, (this.#faults.get(what) ?? 0) + 1);
    this.#options.say?.(what);
  }

  /** Until no job is left, two minutes at most: what is left then is told by the checker. */
  async #workOff(): Promise<void> {
    for (const until = performance.now() + 120_000; performance.now() < until; await wait(200)) {
      const port = this.#anyPort();
      if (port === undefined) continue;
      // Who waits for a signal is given it.
      await post(port, "/release", {});
      if ((await jobsLeft(port)) === 0) return;
    }
  }

  #anyPort(random: Random = this.#random): number | undefined {
    const ports = [...this.#lives.values()].flatMap(({ port }) => port ?? []);
    return ports[random.int(Math.max(1, ports.length))];
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

/** The schedule goes on until the last process has ended: what it brought after the last of its jobs that ran, nobody was there to run. */
function afterTheLast(records: readonly JobRecord[]): ReadonlySet<string> {
  const ofSchedule = records.filter(({ name }) => name === byItself);
  const lastRan = Math.max(0, ...ofSchedule.filter(({ state }) => isFinished(state)).map(({ id }) => Number(id)));
  return new Set(ofSchedule.filter(({ id, attempt }) => attempt === 0 && Number(id) > lastRan).map(({ id }) => id));
}
