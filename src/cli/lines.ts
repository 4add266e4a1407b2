/**
 * The file that `tensile jobs export` writes: JSON lines (NDJSON).
 *
 *   {"format":"tensile.jobs","version":1,"at":"2026-11-26T…","from":"sqlite"}
 *   {"type":"job","job":{"id":"1","name":"mail","state":"ready",…}}        in the order of their ids
 *   {"type":"occurrence","schedule":"report","at":1700000000000}
 *   {"type":"paused","name":"mail"}
 *   {"type":"end","counts":{"ready":1,…},"occurrences":1,"paused":1,"sha256":"…"}
 *
 * The digest is that of all lines before the last. A file without its end, or with another digest, is not taken in.
 */
import { createHash, type Hash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { systemClock } from "../core/index.ts";
import { jobStates, type JobCounts, type MoveRecord, type MovedJob } from "../jobs/index.ts";
import { Failure, write } from "./io.ts";

const formatVersion = 1;
/** Characters of one line: a payload, a result, notes and errors of one job. */
const longestLine = 268_435_456;
/** Records handed on together. */
const pageSize = 500;

/** What came through. */
export class Tally {
  readonly counts: { -readonly [S in keyof JobCounts]: number } = {
    waiting: 0,
    scheduled: 0,
    ready: 0,
    running: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  };
  occurrences = 0;
  paused = 0;

  get jobs(): number {
    return jobStates.reduce((sum, state) => sum + this.counts[state], 0);
  }

  add(record: MoveRecord): void {
    if (record.type === "job") this.counts[record.job.state]++;
    else if (record.type === "occurrence") this.occurrences++;
    else this.paused++;
  }
}

export async function writeLines(
  from: string,
  pages: AsyncIterable<readonly MoveRecord[]>,
  to: Writable,
): Promise<Tally> {
  const tally = new Tally();
  const digest = createHash("sha256");
  const send = (text: string): Promise<void> => {
    digest.update(text);
    return write(to, text);
  };
  const header = {
    format: "tensile.jobs",
    version: formatVersion,
    at: new Date(systemClock.now()).toISOString(),
    from,
  };
  await send(`${JSON.stringify(header)}\n`);
  for await (const page of pages) {
    let text = "";
    for (const record of page) {
      tally.add(record);
      text += `${JSON.stringify(record)}\n`;
    }
    if (text !== "") await send(text);
  }
  const { counts, occurrences, paused } = tally;
  await write(to, `${JSON.stringify({ type: "end", counts, occurrences, paused, sha256: digest.digest("hex") })}\n`);
  return tally;
}

/** Ends with a throw where the text is not what it says it is: whoever takes it in takes in nothing. */
export async function* readLines(from: Readable, tally: Tally): AsyncGenerator<readonly MoveRecord[]> {
  const digest = createHash("sha256");
  let number = 0;
  let ended = false;
  let page: MoveRecord[] = [];
  for await (const line of linesOf(from)) {
    number++;
    if (ended) throw new Failure(`Line ${number} comes after the end.`);
    const value = parse(line, number);
    if (number === 1) checkHeader(value);
    else if (value["type"] === "end") {
      checkEnd(value, tally, digest, number);
      ended = true;
      continue;
    } else {
      const record = checkRecord(value, number);
      tally.add(record);
      page.push(record);
      if (page.length === pageSize) {
        yield page;
        page = [];
      }
    }
    digest.update(`${line}\n`);
  }
  if (!ended) throw new Failure("The file breaks off: its last line is missing. Export again.");
  yield page;
}

async function* linesOf(from: Readable): AsyncGenerator<string> {
  from.setEncoding("utf8");
  let parts: string[] = [];
  let length = 0;
  for await (const chunk of from) {
    let text = chunk as string;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n")) {
      parts.push(text.slice(0, at));
      yield parts.length === 1 ? (parts[0] as string) : parts.join("");
      parts = [];
      length = 0;
      text = text.slice(at + 1);
    }
    length += text.length;
    if (length > longestLine) throw new Failure(`A line has more than ${longestLine} characters: this is no export.`);
    if (text !== "") parts.push(text);
  }
  if (parts.length > 0) yield parts.join("");
}

type Values = { readonly [name: string]: unknown };

function parse(line: string, number: number): Values {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Failure(`Line ${number} is no JSON.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Failure(`Line ${number} is no JSON object.`);
  }
  return value as Values;
}

function checkHeader(value: Values): void {
  if (value["format"] !== "tensile.jobs") throw new Failure("This is no export: its first line does not say so.");
  if (value["version"] === formatVersion) return;
  throw new Failure(
    `The export has version ${String(value["version"])}, this program reads ${formatVersion}. Use the version of Tensile that wrote it, or a newer one.`,
  );
}

function checkEnd(value: Values, tally: Tally, digest: Hash, number: number): void {
  const { counts, occurrences, paused } = tally;
  if (
    JSON.stringify([value["counts"], value["occurrences"], value["paused"]]) !==
    JSON.stringify([counts, occurrences, paused])
  ) {
    throw new Failure(`Line ${number} counts other records than there are: the file was changed.`);
  }
  if (value["sha256"] !== digest.digest("hex")) throw new Failure("The digest is another: the file was changed.");
}

function checkRecord(value: Values, number: number): MoveRecord {
  const wrong = (what: string): never => {
    throw new Failure(`Line ${number}: ${what}.`);
  };
  switch (value["type"]) {
    case "occurrence":
      if (typeof value["schedule"] !== "string" || typeof value["at"] !== "number")
        wrong("no occurrence of a schedule");
      break;
    case "paused":
      if (typeof value["name"] !== "string") wrong("nothing that is paused");
      break;
    case "job":
      checkJob(value["job"], wrong);
      break;
    default:
      wrong(`"${String(value["type"])}" is nothing that this version knows`);
  }
  // Each member that is read was looked at above.
  return value as unknown as MoveRecord;
}

const texts = ["id", "name", "payload"] as const;
const numbers = ["priority", "attempt", "enqueuedAt"] as const;
const optionalTexts = ["context", "uniqueKey", "key", "tenant", "progress", "result"] as const;
const optionalNumbers = ["runAt", "finishedAt"] as const;

function checkJob(job: unknown, wrong: (what: string) => never): asserts job is MovedJob {
  if (typeof job !== "object" || job === null) return wrong("no job");
  const values = job as Values;
  const has = (name: string, type: string, optional = false): void => {
    if (typeof values[name] !== type && !(optional && values[name] === undefined))
      wrong(`the job's ${name} is no ${type}`);
  };
  for (const name of texts) has(name, "string");
  for (const name of numbers) has(name, "number");
  for (const name of optionalTexts) has(name, "string", true);
  for (const name of optionalNumbers) has(name, "number", true);
  if (!(jobStates as readonly unknown[]).includes(values["state"])) wrong(`"${String(values["state"])}" is no state`);
  const priority = values["priority"] as number;
  if (!Number.isInteger(priority) || priority < 0 || priority > 9) wrong("the job's priority is not from 0 to 9");
  if (!Array.isArray(values["errors"])) wrong("the job's errors are no list");
}
