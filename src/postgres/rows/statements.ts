/** The statements of the row path: one per batch. */
import type { JobFilter, JobPolicy, NewJob, Settlement } from "../../jobs/index.ts";
import { errorText, isJobId, stateCodes } from "./codec.ts";
import type { SqlParameter } from "../connection.ts";
import { Blob, booleans, numbers, type Statement, texts } from "./pack.ts";

/** A call of a function with these types of parameters. */
function call(name: string, types: readonly string[], params: readonly SqlParameter[], columns = "*"): Statement {
  const list = types.map((type, index) => `$${index + 1}::${type}`).join(", ");
  return { text: `SELECT ${columns} FROM tensile.${name}(${list})`, params };
}

const enqueueTypes = [
  ...["boolean", "bigint", "bytea", "int[]", "smallint[]", "bigint[]", "bigint[]"],
  ...Array.from({ length: 12 }, () => "int[]"),
  ...["smallint[]", "bigint[]", "int[]", "int[]", "bigint[]", "smallint[]", "int[]", "bigint[]", "text[]"],
];

/**
 * @param nameIds The number of each job's name.
 * @param verify Whether what the jobs wait for is looked at in the same commit. Not in a caller's transaction, which may be long: it would keep those
 * jobs from ending; the next claim looks instead.
 * @param most How many jobs may wait with these; null where there is no need to count them now.
 */
export function enqueueStatement(
  jobs: readonly NewJob[],
  nameIds: readonly number[],
  verify: boolean,
  most: number | null,
): Statement {
  const blob = new Blob();
  const of = (field: (job: NewJob) => string | undefined): readonly [string, string] => blob.fields(jobs.map(field));
  const dependencies = jobs.flatMap((job, index) => (job.after?.jobs ?? []).map((on) => [index + 1, on] as const));
  const payload = of((job) => job.payload);
  const context = of((job) => job.context);
  const key = of((job) => job.key);
  const tenant = of((job) => job.tenant);
  const scope = of((job) => (job.uniqueKey === undefined ? undefined : (job.unique?.scope ?? job.name)));
  const unique = of((job) => job.uniqueKey);
  const schedule = of((job) => job.occurrence?.schedule);
  return call("rows_enqueue", enqueueTypes, [
    ...[verify, most, blob.bytes(), numbers(nameIds), numbers(jobs.map((job) => job.priority))],
    ...[numbers(jobs.map((job) => whole(job.runAt))), numbers(jobs.map((job) => whole(job.delayMs)))],
    ...payload,
    ...context,
    ...key,
    ...tenant,
    ...scope,
    ...unique,
    numbers(jobs.map((job) => (job.unique?.until === "started" ? 1 : undefined))),
    numbers(jobs.map((job) => (job.uniqueKey === undefined ? undefined : whole(job.unique?.windowMs)))),
    ...schedule,
    numbers(jobs.map((job) => whole(job.occurrence?.at))),
    numbers(jobs.map((job) => (job.after === undefined ? undefined : job.after.on === "succeeded" ? 1 : 2))),
    numbers(dependencies.map(([of_]) => of_)),
    numbers(dependencies.map(([, on]) => (typeof on === "number" ? -1 - on : isJobId(on) ? on : "0"))),
    texts(dependencies.map(([, on]) => (typeof on === "number" || isJobId(on) ? undefined : on.replaceAll("\0", "")))),
  ]);
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.ceil(value);
}

const settleCodes = {
  released: 3,
  waiting: 1,
  retry: 2,
  snoozed: 20,
  succeeded: 10,
  failed: 11,
  cancelled: 12,
} as const;

/** @param again Which of them may have been committed before, without an answer. */
export function settleStatement(settlements: readonly Settlement[], again: readonly boolean[]): Statement {
  const blob = new Blob();
  const result = blob.fields(settlements.map((one) => (one.to === "succeeded" ? one.result : undefined)));
  const error = blob.fields(
    settlements.map((one) => ("error" in one && one.error !== undefined ? errorText(one.error) : undefined)),
  );
  const signal = blob.fields(settlements.map((one) => (one.to === "waiting" ? one.signal : undefined)));
  const runAt = settlements.map((one) => whole("runAt" in one ? one.runAt : "until" in one ? one.until : undefined));
  return call(
    "rows_settle",
    [
      ...["bytea", "bigint[]", "bigint[]", "bigint[]", "smallint[]", "bigint[]"],
      ...["int[]", "int[]", "int[]", "int[]", "int[]", "int[]", "boolean[]"],
    ],
    [
      blob.bytes(),
      numbers(settlements.map(({ job }) => job.id)),
      numbers(settlements.map(({ job }) => job.fence.epoch)),
      numbers(settlements.map(({ job }) => job.fence.claim)),
      numbers(settlements.map(({ to }) => settleCodes[to])),
      numbers(runAt),
      ...result,
      ...error,
      ...signal,
      booleans(again),
    ],
  );
}

/** Where a ready job stands among those of its name. */
export interface Position {
  readonly priority: number;
  readonly place: number;
}

/** Behind every job. */
export const last: Position = { priority: 10, place: 0 };

export interface Wanted {
  readonly name: number;
  readonly credit: number;
  /** Only what comes before is claimed. */
  readonly before: Position;
}

/** @param durable Whether a claim must outlive a crash of the server: where a second run is worse than a slower claim. */
export function turnStatement(
  fence: { readonly epoch: number; readonly claim: number },
  wanted: readonly Wanted[],
  claimBytes: number,
  durable: boolean,
): Statement {
  return call(
    "rows_turn",
    ["bigint", "bigint", "int[]", "int[]", "bigint", "boolean", "int[]", "bigint[]"],
    [
      fence.epoch,
      fence.claim,
      numbers(wanted.map(({ name }) => name)),
      numbers(wanted.map(({ credit }) => Math.min(credit, 100_000))),
      claimBytes,
      durable,
      numbers(wanted.map(({ before }) => before.priority)),
      numbers(wanted.map(({ before }) => before.place)),
    ],
  );
}

export function policyStatement(name: string, policy: JobPolicy | undefined): Statement {
  const gates = (policy?.gates ?? []).toSorted((one, two) => (one.id < two.id ? -1 : 1));
  const key = policy?.perKey;
  const limited = key?.concurrency !== undefined || key?.rate !== undefined || key?.ordered === true;
  return call(
    "rows_policy",
    ["text", "float8", "boolean", "int", "int", "float8", "boolean", "text[]", "int[]", "int[]", "float8[]"],
    [
      name,
      policy?.ageingMs ?? null,
      limited,
      key?.concurrency ?? null,
      key?.rate?.limit ?? null,
      key?.rate === undefined ? null : key.rate.periodMs / key.rate.limit,
      key?.ordered === true,
      texts(gates.map(({ id }) => id)),
      numbers(gates.map(({ concurrency }) => concurrency)),
      numbers(gates.map(({ rate }) => rate?.limit)),
      numbers(gates.map(({ rate }) => (rate === undefined ? undefined : rate.periodMs / rate.limit))),
    ],
    "1",
  );
}

const columns =
  "a.id, n.name, a.state, a.priority, a.attempt, a.enqueued_at, a.unique_key, a.key, a.tenant, a.progress, a.context, a.payload, a.errors";

export function recordsStatement(ids: readonly string[]): Statement {
  return {
    text: `SELECT ${columns}, a.due, a.finished_at, a.result FROM tensile.rows_records($1::bigint[]) a JOIN tensile.name n ON n.id = a.name_id`,
    params: [numbers(ids)],
  };
}

/** A page: each side in the order of ids as far as the page goes, then both together. */
export function listStatement({ state, name, limit = 100, after = "0" }: JobFilter): Statement {
  const codes = state === undefined ? undefined : stateCodes[state];
  const filter = `${codes === undefined ? "" : `AND a.state IN (${codes.join(", ")}) `}${name === undefined ? "" : "AND n.name = $3::text "}`;
  const rest = (from: string): string =>
    `FROM tensile.${from} a JOIN tensile.name n ON n.id = a.name_id WHERE a.id > $1::bigint ${filter}ORDER BY a.id LIMIT $2::int`;
  const live = `(SELECT ${columns}, a.due, NULL::bigint AS finished_at, NULL::bytea AS result ${rest("rows_live")})`;
  const kept = `(SELECT ${columns}, NULL::bigint AS due, a.finished_at, a.result ${rest("rows_kept")})`;
  const first = codes?.[0];
  const sides = first === undefined ? [live, kept] : first >= 10 ? [kept] : [live];
  return {
    text: `SELECT * FROM (${sides.join(" UNION ALL ")}) AS page ORDER BY id LIMIT $2::int`,
    params: [
      /^[0-9]{1,16}$/.test(after) ? after : "0",
      Math.min(1_000, Math.max(1, limit)),
      ...(name === undefined ? [] : [name]),
    ],
  };
}
