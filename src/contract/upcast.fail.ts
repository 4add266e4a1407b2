/** What the compiler says about versions of a job's input. */
import { t } from "../schema/index.ts";
import { job } from "./index.ts";

const input = { to: t.array(t.string()), at: t.optional(t.timestamp()) };

job("fits", {
  input,
  version: 3,
  upcast: { 1: (old) => old, 2: () => ({ to: ["a"], at: new Date() }) },
});

job("typed", {
  input,
  version: 2,
  // The last step gives the input of now.
  // THROWS TS2322 Type 'string' is not assignable to type 'readonly string[]'
  upcast: { 1: () => ({ to: "a" }) },
});

job("unknownOld", {
  input,
  version: 2,
  // Nobody has checked what an old payload holds.
  // THROWS TS18046 'old' is of type 'unknown'
  upcast: { 1: (old) => ({ to: [old.to] }) },
});
