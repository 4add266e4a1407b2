/** Tensile on an SQLite file: `tensile.ts FILE [threads]`. */
import { sqlite } from "../../src/sqlite/index.ts";
import { measureTensile } from "./tensile-process.ts";

const [, , file = "bench.db", threads] = process.argv;

await measureTensile(sqlite(file, { durability: "full" }), {
  durability: "WAL, synchronous=FULL: acknowledged after the commit's fsync",
  preloads: false,
  // As the guide advises where the API's tail matters.
  ...(threads !== undefined && { threads: { count: 1, sliceMs: 0.1 } }),
});
