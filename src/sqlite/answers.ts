/** Operations that only read, answered from what was just committed. */
import type { Core } from "./core.ts";
import { dependenciesOf } from "./dependents.ts";
import { backlogOf } from "./pausing.ts";
import type { Op, OpReply } from "./protocol.ts";
import { idNumber, listRecords, readRecord, readState } from "./reading.ts";

/** The answer to an operation that only reads; undefined for all others. */
export function answer(core: Core, op: Op): OpReply {
  switch (op.op) {
    case "get": {
      const record = readRecord(core, op.id);
      return record === undefined ? undefined : { record };
    }
    case "state": {
      const state = readState(core, op.id);
      return state === undefined ? undefined : { state };
    }
    case "notes":
      return { notes: core.sql.notesOf.all(idNumber(op.id) ?? 0).map(({ name, value }) => ({ name, value })) };
    case "dependencies":
      return { dependencies: dependenciesOf(core, op.id) };
    case "list":
      return { records: listRecords(core, op.filter) };
    case "counts": {
      const totals = op.name === undefined ? core.totals : core.names.get(op.name)?.counts;
      const [waiting = 0, scheduled = 0, ready = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0] =
        totals ?? [];
      return { counts: { waiting, scheduled, ready, running, succeeded, failed, cancelled } };
    }
    case "paused":
      return { paused: [...core.routing.paused].toSorted() };
    case "backlog":
      return { backlog: backlogOf(core, op.names) };
    case "occurrences":
      return {
        occurrences: (core.sql.occurrences.all() as { schedule: string; at: number }[]).map(
          ({ schedule, at }) => [schedule, at] as const,
        ),
      };
    default:
      return undefined;
  }
}
