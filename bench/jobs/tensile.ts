/** Tensile on an SQLite file: `tensile.ts FILE [threads]`. */
import { sqlite } from "../../src/sqlite/index.ts";
import { measureTensile } from "./tensile-process.ts";

const [, , file = "bench.db", threads] = process.argv;

// As the guide advises where the API's tail matters: a thread of its own with a short time slice, and a writer that stands back.
const apart = threads !== undefined;

await measureTensile(sqlite(file, { durability: "full", ...(apart && { nice: 10 }) }), {
  durability: "WAL, synchronous=FULL: acknowledged after the commit's fsync",
  preloads: false,
  ...(apart && { threads: { count: 1, sliceMs: 0.1 } }),
});
