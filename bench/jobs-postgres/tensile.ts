/** Tensile on a PostgreSQL. */
import { measureTensile } from "../jobs/tensile-process.ts";
import { postgres } from "../../src/postgres/index.ts";

const [address] = process.argv.slice(2);
if (address === undefined) throw new TypeError("usage: tensile.ts ADDRESS");
await measureTensile(postgres(address), {
  durability: "synchronous_commit=on: acknowledged after the commit's fsync",
  preloads: true,
});
