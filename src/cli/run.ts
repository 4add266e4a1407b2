/** A command line, from its words to its exit code: 0 done, 1 it did not work, 2 it was called wrongly. */
import { parseArgs } from "node:util";
import { Failure, Usage, write, type Io } from "./io.ts";
import { jobs, jobsHelp } from "./jobs.ts";

export async function run(words: readonly string[], io: Io): Promise<number> {
  try {
    const { values, positionals } = parse(words);
    const [topic, command, address, ...rest] = positionals;
    if (values.help === true || topic === undefined) {
      await write(io.stdout, jobsHelp);
      return topic === undefined && values.help !== true ? 2 : 0;
    }
    if (topic !== "jobs") throw new Usage(`tensile has no command "${topic}". It has jobs.`);
    await jobs({ command, address, rest, options: values }, io);
    return 0;
  } catch (thrown) {
    // Whoever read has seen enough: `tensile jobs list app.db | head`.
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EPIPE") return 0;
    if (!(thrown instanceof Error)) throw thrown;
    await write(io.stderr, `tensile: ${thrown.message}\n`);
    if (thrown instanceof Usage) {
      await write(io.stderr, "tensile --help says more.\n");
      return 2;
    }
    // A defect shows where it is; a database that cannot be reached is none.
    if (!(thrown instanceof Failure || thrown instanceof TypeError || thrown.name === "Unreachable"))
      await write(io.stderr, `${thrown.stack ?? ""}\n`);
    return 1;
  }
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        state: { type: "string" },
        name: { type: "string" },
        limit: { type: "string" },
        after: { type: "string" },
        out: { type: "string" },
        in: { type: "string" },
        merge: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (thrown) {
    throw new Usage(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
