/** What a benchmark leaves behind: one shape for all of them, for the table, the chart, the README and whoever compares runs. */
import type { Environment } from "./environment.ts";

export interface Row {
  readonly case: string;
  readonly system: string;
  readonly version: string;
  /** Medians over the rounds. The unit ends the name: Us microseconds, Ms milliseconds, MB 10^6 bytes, PerSecond. */
  readonly metrics: { readonly [name: string]: number };
}

/** The median, over the rounds, of system / peer within one round. */
export interface Ratio {
  readonly case: string;
  readonly metric: string;
  readonly system: string;
  readonly peer: string;
  readonly ratio: number;
}

export interface Target {
  readonly text: string;
  /** As written in the text: `<= 0.45`, `>= 120000`. */
  readonly target: string;
  readonly measured: number;
  readonly met: boolean;
}

export interface BenchResult {
  readonly bench: string;
  readonly environment: Environment;
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
  readonly targets: readonly Target[];
  /** A figure over time, where the benchmark watches one: seconds since the start, value. */
  readonly series?: readonly {
    readonly name: string;
    readonly unit: string;
    readonly points: readonly (readonly [seconds: number, value: number])[];
  }[];
  /** What every system was seen to do right or wrong; a wrong answer here made the process exit with 1. */
  readonly wrong: readonly string[];
}

/** What a benchmark gives the command line to write down. */
export type Measurement = Omit<BenchResult, "bench" | "environment"> & {
  /** Facts of this benchmark that belong beside the machine's: durability, payload sizes, connections. */
  readonly settings: { readonly [name: string]: string | number | boolean };
};

export interface BenchOptions {
  readonly rounds: number;
  readonly quick: boolean;
  /** Systems by name; absent: all. */
  readonly only?: readonly string[] | undefined;
  /** How long the load lasts, for benchmarks that watch over time; absent: their own choice. */
  readonly minutes?: number | undefined;
  /** Jobs that wait while a few are worked off, for `jobs-postgres`; absent: its own choice. */
  readonly backlog?: number | undefined;
  /** Which PostgreSQL; absent: version 18 of the npm package where it is to be had, or else the machine's. */
  readonly postgres?: "embedded" | "machine" | undefined;
  /** Where progress is told. */
  readonly say: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly text: string;
  readonly systems: readonly string[];
  /** Whether the measured process is held on a core of its own. */
  readonly pinned: boolean;
  /** Rounds when none are asked for. */
  readonly rounds: number;
  /** Whether one of these systems lives in bench/peers. */
  needsPeers(systems: readonly string[]): boolean;
  run(options: BenchOptions): Promise<Measurement>;
  /** What the chart beside the result shows. */
  readonly chart: { readonly metric: string; readonly title: string; readonly unit: string };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** One round of one system in one case. */
export interface Sample {
  readonly case: string;
  readonly system: string;
  readonly round: number;
  readonly metrics: { readonly [name: string]: number };
}

/** The median of each metric; what the first has none of is left out. */
export function mediansOf(all: readonly Sample["metrics"][]): Sample["metrics"] {
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(all.map((metrics) => metrics[name] ?? Number.NaN))]));
}

/** The median of each metric over the rounds, one row for each case and system, in the order of their first samples. */
export function rowsOf(samples: readonly Sample[], versionOf: (system: string) => string): Row[] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = `${sample.case}\n${sample.system}`;
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  return [...groups.values()].map((group) => {
    const { case: name, system } = group[0] as Sample;
    const medians = mediansOf(group.map((sample) => sample.metrics));
    return { case: name, system, version: versionOf(system), metrics: medians };
  });
}

/** Compares `system` with each other system in the same round, then takes the median over the rounds. */
export function ratiosOf(samples: readonly Sample[], system: string, metrics: readonly string[]): Ratio[] {
  const ratios: Ratio[] = [];
  for (const name of new Set(samples.map((sample) => sample.case))) {
    const here = samples.filter((sample) => sample.case === name);
    const peers = new Set(here.map((sample) => sample.system).filter((peer) => peer !== system));
    for (const metric of metrics) {
      for (const peer of peers) {
        const perRound = here.flatMap((ours) => {
          if (ours.system !== system) return [];
          const theirs = here.find((sample) => sample.system === peer && sample.round === ours.round);
          const pair = [ours.metrics[metric], theirs?.metrics[metric]];
          return pair[0] === undefined || pair[1] === undefined ? [] : [pair[0] / pair[1]];
        });
        if (perRound.length > 0) ratios.push({ case: name, metric, system, peer, ratio: median(perRound) });
      }
    }
  }
  return ratios;
}

/** A target on a figure: met when it is at most (`<=`) or at least (`>=`) the limit. Nothing when it was not measured. */
export function target(text: string, op: "<=" | ">=", limit: number, measured: number | undefined): Target[] {
  if (measured === undefined || Number.isNaN(measured)) return [];
  const met = op === "<=" ? measured <= limit : measured >= limit;
  return [{ text, target: `${op} ${limit}`, measured, met }];
}
