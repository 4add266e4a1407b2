/**
 * Every bound of the PostgreSQL store in one table, so that start-up can print it and `docs/jobs-postgres.md` can be held against it.
 */
export const postgresLimits = Object.freeze({
  /** Milliseconds that connecting may take. */
  connectMs: 5_000,
  /** Milliseconds without an answer after which a connection counts as broken. */
  statementMs: 30_000,
  /** Milliseconds before the second try to connect; it doubles with every further one. */
  reconnectLeastMs: 50,
  /** Milliseconds between two tries to connect at most. */
  reconnectMostMs: 2_000,
  /** Milliseconds that one statement of an export or an import may take; jobs in one of an export, and characters in one of an import. */
  moveMs: 3_600_000,
  moveRecords: 500,
  moveChars: 8_388_608,
  /** Milliseconds that an import waits for those that are enqueueing at its end. */
  moveLockMs: 10_000,
  /** Jobs or settlements in one statement, unless a single call has more. */
  batchJobs: 10_000,
  /** Milliseconds between two statements of plain successes that nobody waits for, while they keep coming; so many of them go at once. */
  settleMs: 15,
  settleJobs: 2_000,
  /** Bytes of one payload. */
  payloadBytes: 16_777_216,
  /** Bytes of what a job keeps of the call that enqueued it: its deadline and its trace. */
  contextBytes: 4_096,
  /** Bytes of a job's name, unique key, scope, key, tenant or schedule name. */
  keyBytes: 1_024,
  /** Jobs that one job may wait for. */
  dependencies: 100_000,
  /** Bytes of payloads handed over per name and turn, unless a single one is larger. */
  claimBytes: 4_194_304,
  /** Milliseconds between two looks for work of other processes. */
  pollMs: 1_000,
  /** Milliseconds between two steps of retention; jobs that one statement of it removes. */
  pruneMs: 10_000,
  pruneStep: 20_000,
  /** Milliseconds between two foldings of the counts. */
  foldMs: 1_000,
  /** Milliseconds between two looks at the clock of the database. */
  clockMs: 2_500,
  /** Longest sleep while something is scheduled. */
  longestSleepMs: 30_000,
  /** Callers waiting in `finished`. */
  finishedWaiters: 100_000,
  /** Settlements whose commit is in doubt and that are remembered for when they are offered again. */
  doubted: 100_000,
  /** Milliseconds that a process counts as alive after its last heartbeat, unless said otherwise (`leaseMs`). */
  leaseMs: 10_000,
  /** Heartbeats in one lease, and looks for processes whose lease is over. */
  leaseBeats: 4,
  /** Characters of payloads in one block, which holds at most 512 jobs. */
  blockChars: 65_536,
  /** Characters of a payload from which on a job is a row of its own. */
  blockPayloadChars: 16_384,
  /** Milliseconds between two looks at lanes that seemed empty, and at blocks whose transaction committed late, while there is work. */
  deepLookMs: 250,
  /** Milliseconds of work, at the pace of the last ones, of a name with limits per key that are claimed ahead of what may run. */
  aheadMs: 100,
  /** Such jobs of one name at most, those of one key, and characters of their payloads. */
  aheadJobs: 4_096,
  aheadOfKey: 32,
  aheadChars: 4_194_304,
  /** Jobs of a dead process that one statement gives over to the row path. */
  abandonJobs: 2_000,
  /** Blocks in a slot before the next one takes over, where it is empty. */
  slotBlocks: 4_096,
  /** Milliseconds after which it takes over with fewer. */
  slotMs: 60_000,
  /** Milliseconds between two notifications of one process to the others. */
  notifyMs: 5,
  /** Milliseconds before a connection that heard no echo of its own notification listens again: a pooler swallows it. */
  echoMs: 10_000,
  /** Milliseconds between two looks for work while notifications cannot be heard and there was some a moment ago; it grows by half each time. */
  busyPollMs: 5,
  /** Jobs of callers' transactions whose commit is looked for; further ones are found by the regular look. */
  unseenJobs: 1_000,
  /** Short-lived records (`store.kv()`) unless said otherwise; over it those go that end soonest. */
  kvRecords: 1_000_000,
  /** Writes of one process between two looks at how many short-lived records there are. */
  kvCountEvery: 1_000,
  /** Characters of the value of one short-lived record. */
  kvValueChars: 262_144,
});

export type PostgresLimits = { readonly [K in keyof typeof postgresLimits]: number };
