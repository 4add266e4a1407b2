/**
 * Every bound of the SQLite store in one table, so that start-up can print it and `docs/jobs-sqlite.md` can be held against it.
 */
export const sqliteLimits = Object.freeze({
  /** Jobs in one block row. A block leaves the disk when its last job is finished (and no longer kept). */
  blockJobs: 512,
  /** Bytes in one block row, unless a single job is larger. */
  blockBytes: 65_536,
  /** Bytes of one arena (the transferred buffer), unless a single job is larger. */
  arenaBytes: 262_144,
  /** Arenas kept for reuse on the calling side. */
  arenasKept: 8,
  /** Bytes that one message to the writer carries before it is sent without waiting for the end of the turn. */
  messageBytes: 1_048_576,
  /** Operations other than plain enqueue and success in one message. */
  messageOperations: 4_096,
  /** Messages on their way to the writer; further work gathers in the next one. */
  messagesInFlight: 2,
  /** Bytes of payload and results that wait for their commit on the calling side before `QUEUE_FULL`. */
  unsentBytes: 67_108_864,
  /** Reads, transactions, cancels and redrives that wait for the writer before `QUEUE_FULL`. */
  operations: 10_000,
  /** Bytes of one payload, result or error data. */
  payloadBytes: 16_777_216,
  /** Bytes of what a job keeps of the call that enqueued it. */
  contextBytes: 4_096,
  /** Bytes of a unique key or a schedule name. */
  keyBytes: 1_024,
  /** Unique keys whose time (`windowMs`) is over that one enqueue with such a key removes. */
  keysExpirePerTake: 4,
  /** Such keys removed per pruning. */
  keysExpirePerPrune: 1_000,
  /** Notes of one job, signals that it was sent among them, before `QUEUE_FULL`. */
  notesPerJob: 10_000,
  /** Characters of the name of a note. */
  noteNameChars: 200,
  /** Jobs that one job may name in `after`. */
  dependencies: 100_000,
  /** Jobs that hear in one commit of the end of one that they wait for; the next commits tell the rest. */
  tellPerCommit: 1_000,
  /** Different job names in one store. */
  names: 10_000,
  /** Bytes of waiting jobs in memory, all lanes together; what is over it waits on disk only. */
  readyBytes: 33_554_432,
  /** Bytes of waiting jobs in memory per lane (job name and priority). */
  laneBytes: 8_388_608,
  /** Block rows read per refill of a lane. */
  refillBlocks: 8,
  /** Bytes of claimed jobs handed over per commit. */
  claimBytes: 4_194_304,
  /** Bytes of a large claim that one of its jobs may hold on to while it runs, unless its own are more. */
  pieceBytes: 32_768,
  /** Bytes of places in memory that limits hold back or tenants wait with; what is over it waits on disk only, whatever its key or tenant. */
  routedBytes: 67_108_864,
  /** Bytes of block bodies kept at hand for such places. */
  openBytes: 16_777_216,
  /** Places looked at per commit for one that may start. */
  placesPerCommit: 65_536,
  /** Places looked at per commit so that every tenant is known. */
  placesAhead: 16_384,
  /** Keys and tenants without jobs that are kept in memory. */
  idleKeys: 16_384,
  /** Scheduled jobs promoted per commit. */
  promotePerCommit: 2_000,
  /** History rows removed per commit. */
  prunePerCommit: 64,
  /** Errors kept per job; the oldest go first. */
  errorsPerJob: 32,
  /** Characters kept of an error message. */
  errorMessageChars: 4_096,
  /** Records in one page of `list`. */
  listRecords: 1_000,
  /** Callers waiting in `finished`. */
  finishedWaiters: 100_000,
  /** Statements in one application transaction; `runMany` counts as one. */
  transactionStatements: 1_000,
  /** Rows in one application transaction. */
  transactionRows: 100_000,
  /** Short-lived records (`store.kv()`) unless said otherwise; over it those go that end soonest. */
  kvRecords: 1_000_000,
  /** Short-lived records whose time is over that one write removes. */
  kvExpirePerWrite: 4,
  /** Characters of the value of one short-lived record. */
  kvValueChars: 262_144,
  /** Prepared application statements kept. */
  preparedStatements: 256,
  /** Milliseconds that the writer waits for another connection's lock. */
  lockWaitMs: 5_000,
  /** Jobs in a commit (added or succeeded) from which on the next one keeps a distance. */
  commitGapFrom: 64,
  /** Jobs in a commit (added or succeeded) from which on it is large enough, and the next one follows at once. */
  commitGapTo: 256,
  /** Milliseconds from the beginning of a commit between those sizes to the next: what a commit costs hardly depends on how much it carries. */
  commitGapMs: 1,
  /**
   * Megabytes of new objects of the writer's thread (`maxYoungGenerationSizeMb`, three semi-spaces). What a commit makes is gone with it, so collections stay short. With V8's
   * own limit a full one takes the place of each, twice a second, once semi-spaces have grown to 16 MB.
   */
  youngMB: 6,
  /** Pages in the write-ahead log before the writer checkpoints after a commit. Small, because nothing is committed meanwhile. */
  checkpointPages: 1_000,
  /** Milliseconds without work before the writer checkpoints what is left. */
  idleCheckpointMs: 500,
  /** Bytes of the write-ahead log before trouble is reported: a long reader keeps it from being emptied. */
  walAlertBytes: 1_073_741_824,
  /** Longest sleep while something is scheduled, so that a stepped wall clock or a suspended machine is noticed. */
  longestSleepMs: 30_000,
  /** Milliseconds before work that failed for lack of disk is tried again by itself. */
  troubleRetryMs: 1_000,
  /** Processes that share a file beside its owner. */
  guests: 64,
  /** Bytes of one message between processes that share a file. */
  sharedFrameBytes: 268_435_456,
  /** Bytes on their way to a process that takes nothing, before it is given up. */
  sharedUnsentBytes: 67_108_864,
  /** Milliseconds that a process which shares a file may stand still before its jobs are others', unless said otherwise (`leaseMs`). */
  sharedLeaseMs: 10_000,
  /** Milliseconds that opening a shared file waits for its owner to answer. */
  sharedOpenMs: 10_000,
  /** Milliseconds that jobs of a process that is gone wait for the owner's calling thread to say the time. */
  sharedTickMs: 1_000,
  /** Milliseconds between two tries to reach the owner of a shared file, or to become it: at first, doubling up to the longest. */
  sharedRetryMs: 20,
  /** The longest of these. */
  sharedRetryMostMs: 500,
});

export type SqliteLimits = { readonly [K in keyof typeof sqliteLimits]: number };
