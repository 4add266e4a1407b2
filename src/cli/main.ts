#!/usr/bin/env node
/** `tensile`: the program. */
import { run } from "./index.ts";

// A reader that has seen enough ends the writing, and is no failure; the promise of the write tells it.
process.stdout.on("error", () => undefined);
process.exitCode = await run(process.argv.slice(2), process);
