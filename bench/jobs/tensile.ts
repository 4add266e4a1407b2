/** Tensile on an SQLite file: `tensile.ts FILE [threads]`. */
import { sqlite } from "../../src/sqlite/index.ts";
import { measureTensile } from "./tensile-process.ts";

const [, , file = "bench.db", threads] = process.argv;

await measureTensile(sqlite(file, { durability: "full" }), {
  durability: "WAL, synchronous=FULL: acknowledged after the commit's fsync",
  preloads: false,
  ...(threads !== undefined && { threads: 1 }),
});
