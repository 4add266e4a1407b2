/** `tensile jobs …`: looks into a store, moves it, and acts on its jobs by hand. */
import { createReadStream, createWriteStream } from "node:fs";
import { once } from "node:events";
import { jobStates, type JobCounts, type JobRecord, type JobState, type StoreSession } from "../jobs/index.ts";
import { Failure, Usage, write, type Io } from "./io.ts";
import { readLines, Tally, writeLines } from "./lines.ts";
import { openSession, required, storeAt } from "./store-at.ts";

export interface JobsCall {
  readonly command: string | undefined;
  readonly address: string | undefined;
  /** Ids or names, after the address. */
  readonly rest: readonly string[];
  readonly options: {
    readonly state?: string | undefined;
    readonly name?: string | undefined;
    readonly limit?: string | undefined;
    readonly after?: string | undefined;
    readonly out?: string | undefined;
    readonly in?: string | undefined;
    readonly merge?: boolean | undefined;
    readonly json?: boolean | undefined;
  };
}

export const jobsHelp = `tensile jobs COMMAND STORE …

  STORE is a file, or postgres://user@host/database.

  counts STORE [--name NAME]            jobs by state
  list STORE [--state STATE] [--name NAME] [--limit 100] [--after ID]
                                        one line for each, never its payload
  export STORE [--out FILE]             everything that is kept, as JSON lines; also while an app has the store open
  import STORE [--in FILE] [--merge]    all of an export, or nothing; the store must be empty unless --merge
  retry STORE ID …                      runs failed or cancelled jobs again
  cancel STORE ID …                     what waits never runs; what runs is asked to stop
  pause STORE NAME …, resume STORE NAME …
                                        of paused jobs none begins, until they are resumed

  --json                                counts and list as JSON
  retry, cancel, pause and resume open the store: an SQLite file must not be in use by an app, unless the app shares it.
`;

const commands: { readonly [name: string]: (call: JobsCall, io: Io) => Promise<void> } = {
  counts,
  list,
  export: exportJobs,
  import: importJobs,
  retry: (call, io) => onEach(call, io, (session, id) => session.retry(id), notRetried),
  cancel: (call, io) => onEach(call, io, (session, id) => session.cancel(id), notCancelled),
  pause: (call, io) => pause(call, io, "pause"),
  resume: (call, io) => pause(call, io, "resume"),
};

export async function jobs(call: JobsCall, io: Io): Promise<void> {
  const run = call.command === undefined ? undefined : commands[call.command];
  if (run === undefined || !Object.hasOwn(commands, call.command as string)) {
    throw new Usage(`tensile jobs has no command "${call.command ?? ""}". It has ${Object.keys(commands).join(", ")}.`);
  }
  await run(call, io);
}

async function counts(call: JobsCall, { stdout }: Io): Promise<void> {
  const { store } = await storeAt(call.address);
  const inspection = required(await store.inspect());
  try {
    const found = required(await inspection.counts(call.options.name));
    const text =
      call.options.json === true
        ? JSON.stringify(found)
        : jobStates.map((state) => `${state.padEnd(10)}${String(found[state]).padStart(12)}`).join("\n");
    await write(stdout, `${text}\n`);
  } finally {
    await inspection.close();
  }
}

/** Records of one page; a longer list is several. */
const pageSize = 1_000;

async function list(call: JobsCall, { stdout }: Io): Promise<void> {
  const { name, after } = call.options;
  const state = stateOf(call.options.state);
  let left = wholeNumber("--limit", call.options.limit ?? "100");
  const { store } = await storeAt(call.address);
  const inspection = required(await store.inspect());
  try {
    for (let from = after; left > 0;) {
      const filter = {
        limit: Math.min(left, pageSize),
        ...(state !== undefined && { state }),
        ...(name !== undefined && { name }),
        ...(from !== undefined && { after: from }),
      };
      const page = required(await inspection.list(filter));
      const lines = page.map((record) => (call.options.json === true ? JSON.stringify(shown(record)) : row(record)));
      if (lines.length > 0) await write(stdout, `${lines.join("\n")}\n`);
      left -= page.length;
      from = page.at(-1)?.id;
      if (page.length < filter.limit) return;
    }
  } finally {
    await inspection.close();
  }
}

/** Without what may hold personal data: payload, context, result, keys. */
function shown({ id, name, state, priority, attempt, enqueuedAt, runAt, finishedAt, errors }: JobRecord): object {
  const at = (time: number | undefined): string | undefined =>
    time === undefined ? undefined : new Date(time).toISOString();
  return {
    id,
    name,
    state,
    priority,
    attempt,
    enqueuedAt: at(enqueuedAt),
    runAt: at(runAt),
    finishedAt: at(finishedAt),
    errors: errors.map((error) => ({
      attempt: error.attempt,
      at: at(error.at),
      code: error.code,
      message: error.message,
    })),
  };
}

function row(record: JobRecord): string {
  const last = record.errors.at(-1);
  const columns = [
    record.id.padStart(10),
    record.state.padEnd(9),
    `attempt ${record.attempt}`.padEnd(11),
    new Date(record.enqueuedAt).toISOString(),
    record.name,
    last === undefined ? "" : `${last.code}: ${printable(last.message)}`,
  ];
  return columns.join("  ").trimEnd();
}

/** A message may hold anything: a terminal shall not obey it. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

async function exportJobs(call: JobsCall, { stdout, stderr }: Io): Promise<void> {
  const { kind, store } = await storeAt(call.address);
  const { out } = call.options;
  if (out === undefined) {
    await report(stderr, "exported", await writeLines(kind, store.exportRecords(), stdout));
    return;
  }
  // Payloads may be anybody's: nobody else reads the file, and none is overwritten.
  const file = createWriteStream(out, { flags: "wx", mode: 0o600 });
  await once(file, "open").catch((error: unknown) => {
    throw new Failure(`${out} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  });
  const tally = await writeLines(kind, store.exportRecords(), file);
  file.end();
  await once(file, "close");
  await report(stderr, `exported to ${out}`, tally);
}

async function importJobs(call: JobsCall, io: Io): Promise<void> {
  const { merge = false } = call.options;
  const { store } = await storeAt(call.address, true);
  const before = merge ? await countsNow(store) : undefined;
  const tally = new Tally();
  const from = call.options.in === undefined ? io.stdin : createReadStream(call.options.in);
  try {
    await store.importRecords(readLines(from, tally), { merge });
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Failure(`Nothing was imported. ${why}`, { cause: thrown });
  }
  verify(tally, before, await countsNow(store));
  await report(io.stderr, "imported", tally);
}

async function countsNow(store: Awaited<ReturnType<typeof storeAt>>["store"]): Promise<JobCounts | undefined> {
  const looked = await store.inspect();
  // A file that is made by the import is no store before.
  if (!looked.ok) return undefined;
  try {
    return required(await looked.value.counts());
  } finally {
    await looked.value.close();
  }
}

/** What was running is ready again; all else is there as it was. */
function verify({ counts: moved }: Tally, before: JobCounts | undefined, now: JobCounts | undefined): void {
  for (const state of jobStates) {
    const added = state === "running" ? 0 : state === "ready" ? moved.ready + moved.running : moved[state];
    const expected = added + (before?.[state] ?? 0);
    if (now?.[state] === expected) continue;
    throw new Failure(
      `The import was committed, but the store counts ${now?.[state] ?? 0} jobs that are ${state}, and ${expected} were expected. If an app has run them meanwhile, that is why; else tell us.`,
    );
  }
}

async function report(
  to: Io["stderr"],
  what: string,
  { counts: by, jobs: all, occurrences, paused }: Tally,
): Promise<void> {
  const states = jobStates.filter((state) => by[state] > 0).map((state) => `${by[state]} ${state}`);
  const parts = [`${all} jobs${states.length > 0 ? ` (${states.join(", ")})` : ""}`, `${occurrences} schedules`];
  if (paused > 0) parts.push(`${paused} paused names`);
  await write(to, `${what}: ${parts.join(", ")}\n`);
}

/** What the state after says of a job that the verb has not changed. */
const notRetried = {
  succeeded: "only failed and cancelled jobs run again",
  failed: "another unfinished job holds its unique key",
  cancelled: "another unfinished job holds its unique key",
} as const;
const notCancelled = {
  running: "asked to stop",
  succeeded: "it is finished already",
  failed: "it is finished already",
} as const;

async function onEach(
  call: JobsCall,
  { stdout }: Io,
  act: (session: StoreSession, id: string) => ReturnType<StoreSession["retry"]>,
  why: { readonly [S in JobState]?: string },
): Promise<void> {
  if (call.rest.length === 0) throw new Usage("Which jobs? Give their ids after the store.");
  const session = await openSession(await storeAt(call.address));
  try {
    for (const id of call.rest) {
      const state = required(await act(session, id));
      const unchanged = state === undefined ? undefined : why[state];
      await write(stdout, `${id}  ${state ?? "no such job"}${unchanged === undefined ? "" : ` (${unchanged})`}\n`);
    }
  } finally {
    await session.close();
  }
}

async function pause(call: JobsCall, { stdout, stderr }: Io, verb: "pause" | "resume"): Promise<void> {
  if (call.rest.length === 0) throw new Usage("Which jobs? Give their names after the store.");
  const session = await openSession(await storeAt(call.address));
  try {
    for (const name of verb === "pause" ? call.rest : []) {
      const known = Object.values(required(await session.counts(name))).some((count) => count > 0);
      if (!known)
        await write(stderr, `tensile: the store has no job "${name}" so far; is the name right? It is paused.\n`);
    }
    const done = await session[verb](call.rest);
    required(done);
    const paused = await session.paused();
    const names = required(paused);
    await write(stdout, `paused: ${names.length === 0 ? "none" : names.join(", ")}\n`);
  } finally {
    await session.close();
  }
}

function stateOf(given: string | undefined): JobState | undefined {
  if (given === undefined) return undefined;
  const state = jobStates.find((one) => one === given);
  if (state === undefined) throw new Usage(`"${given}" is no state. There are ${jobStates.join(", ")}.`);
  return state;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Usage(`${option} is a whole number above 0, not ${text}.`);
}
