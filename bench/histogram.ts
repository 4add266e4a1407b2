/**
 * Latencies of millions of requests in a fixed 20 KB: log-linear buckets, 64 to each doubling, so that a percentile is right
 * to 1.6 %. Keeping every sample would make the load generator's memory, and with it its pauses, grow with the speed measured.
 */
const subBuckets = 64;
const doublings = 40;

export interface Histogram {
  /** Microseconds; below zero counts as zero. */
  record(us: number): void;
  /** The latency that `share` (0 to 1) of the samples did not exceed, in microseconds; 0 without samples. */
  percentile(share: number): number;
  readonly count: number;
  readonly max: number;
  reset(): void;
}

export function histogram(): Histogram {
  const buckets = new Uint32Array(subBuckets * doublings);
  let count = 0;
  let max = 0;
  return {
    record(us) {
      const value = us > 0 ? us : 0;
      count++;
      if (value > max) max = value;
      const bucket = bucketOf(value);
      buckets[bucket] = (buckets[bucket] as number) + 1;
    },
    percentile(share) {
      if (count === 0) return 0;
      let left = Math.max(1, Math.ceil(count * share));
      for (let i = 0; i < buckets.length; i++) {
        left -= buckets[i] as number;
        if (left <= 0) return Math.min(upperEdge(i), max);
      }
      return max;
    },
    get count() {
      return count;
    },
    get max() {
      return max;
    },
    reset() {
      buckets.fill(0);
      count = 0;
      max = 0;
    },
  };
}

/** Below 64 us one bucket per microsecond; above, the doubling gives the row and the 6 bits below the top one the column. */
function bucketOf(us: number): number {
  // With integers of 32 bits, because this is called hundreds of thousands of times a second beside what is measured. Twice as long is one row further on.
  if (us >= 2 ** 31) return Math.min(bucketOf(us / 2) + subBuckets, subBuckets * doublings - 1);
  const whole = us | 0;
  if (whole < subBuckets) return whole;
  const doubling = 25 - Math.clz32(whole);
  return doubling * subBuckets + (whole >> doubling);
}

function upperEdge(bucket: number): number {
  if (bucket < subBuckets) return bucket + 1;
  const doubling = Math.floor(bucket / subBuckets) - 1;
  return (subBuckets + (bucket % subBuckets) + 1) * 2 ** doubling;
}
