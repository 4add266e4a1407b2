/**
 * Counters, gauges and histograms, and the families that hold them. A series is found once and kept by whoever counts, so that
 * counting is an addition; the number of series is bounded, and what comes after falls into one series named `other`.
 */
import type { MetricFamily, MetricSeries } from "./snapshot.ts";

interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Default 2,000. */
  readonly maxSeries?: number;
}

/** Where label values stand that came after the bound was reached. */
export const otherLabel = "other";
const mostSeries = 2_000;

interface Instrument {
  read(labels: readonly string[]): MetricSeries;
}

/** A value that counts up, or is set. */
export class Counter implements Instrument {
  value = 0;

  read(labels: readonly string[]): MetricSeries {
    return { labels, value: this.value };
  }
}

/** Values in fixed buckets. */
export class Histogram implements Instrument {
  readonly #bounds: Float64Array;
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: Float64Array) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Walks the bounds from below: most values are small. */
  observe(value: number): void {
    const bounds = this.#bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    (this.#counts[at] as number)++;
    this.#sum += value;
  }

  read(labels: readonly string[]): MetricSeries {
    return { labels, value: this.#sum, counts: [...this.#counts] };
  }
}

/** All series of one name. */
export class Family<I extends Instrument> {
  readonly #options: FamilyOptions;
  readonly #about: Pick<MetricFamily, "type" | "merge" | "bounds">;
  readonly #make: () => I;
  readonly #series = new Map<string, { readonly labels: readonly string[]; readonly instrument: I }>();

  constructor(options: FamilyOptions, about: Pick<MetricFamily, "type" | "merge" | "bounds">, make: () => I) {
    this.#options = options;
    this.#about = about;
    this.#make = make;
  }

  /** The series with these label values, one for each label. Keep it where counting is frequent. */
  of(...labels: readonly string[]): I {
    const key = labels.join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known.instrument;
    if (this.#series.size >= (this.#options.maxSeries ?? mostSeries)) {
      const others = labels.map(() => otherLabel);
      const overflow = others.join("\0");
      return (this.#series.get(overflow) ?? this.#add(overflow, others)).instrument;
    }
    return this.#add(key, labels).instrument;
  }

  #add(key: string, labels: readonly string[]): { readonly labels: readonly string[]; readonly instrument: I } {
    const made = { labels, instrument: this.#make() };
    this.#series.set(key, made);
    return made;
  }

  read(): MetricFamily {
    const { name, help, labels = [] } = this.#options;
    const series = Array.from(this.#series.values(), ({ labels: values, instrument }) => instrument.read(values));
    return { name, help, labels, ...this.#about, series };
  }
}

export function counters(options: FamilyOptions): Family<Counter> {
  return new Family(options, { type: "counter", merge: "sum" }, () => new Counter());
}

export function gauges(options: FamilyOptions, merge: MetricFamily["merge"] = "sum"): Family<Counter> {
  return new Family(options, { type: "gauge", merge }, () => new Counter());
}

/** `bounds`: upper bounds of the buckets, rising. */
export function histograms(options: FamilyOptions, bounds: readonly number[]): Family<Histogram> {
  const shared = Float64Array.from(bounds);
  return new Family(options, { type: "histogram", merge: "sum", bounds }, () => new Histogram(shared));
}
