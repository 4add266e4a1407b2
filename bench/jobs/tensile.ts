/** Tensile on an SQLite file. */
import { sqlite } from "../../src/sqlite/index.ts";
import { measureTensile } from "./tensile-process.ts";

await measureTensile(sqlite(process.argv[2] ?? "bench.db", { durability: "full" }), {
  durability: "WAL, synchronous=FULL: acknowledged after the commit's fsync",
  preloads: false,
});
