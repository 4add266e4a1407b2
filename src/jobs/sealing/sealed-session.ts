/**
 * A store's session whose texts are sealed on their way in and opened on their way out. Payloads of claimed jobs pass as they are: an attempt
 * opens its own when it begins, so that what waits for a slot stays small, however much a text becomes.
 *
 * What cannot be opened stays as it is in what was read; `whyLocked` says why.
 */
import { Ok, type Fault } from "../../core/index.ts";
import type {
  AttemptError,
  ClaimedJob,
  JobNote,
  JobRecord,
  NewJob,
  Settlement,
  StoreResult,
  StoreSession,
} from "../store.ts";
import { isSealed } from "./envelope.ts";
import type { Place, Sealing } from "./sealing.ts";

const locked = new WeakMap<object, Fault>();

/** Why something that a sealed session has read holds a text that could not be opened. */
export function whyLocked(read: object): Fault | undefined {
  return locked.get(read);
}

/** The same session, on the other side of the seal. Whatever has no text in it goes straight to the store. */
export function sealedSession(inner: StoreSession, sealing: Sealing): StoreSession {
  const own = { ...openingVerbs(inner, sealing), ...(sealing.isActive && sealingVerbs(inner, sealing)) };
  const bound = new Map<unknown, unknown>();
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Object.hasOwn(own, name) ? Reflect.get(own, name) : Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      // Verbs look into their session's private fields.
      if (!bound.has(value)) bound.set(value, value.bind(target));
      return bound.get(value);
    },
  });
}

type Verbs = Partial<StoreSession>;

function sealingVerbs(inner: StoreSession, sealing: Sealing): Verbs {
  /** Enqueues that are being sealed: later ones wait for them, so that their order stays. */
  let before: Promise<unknown> | undefined;
  const needsSeal = ({ name, payload }: NewJob): boolean => sealing.seals(name, payload);
  const { note, signal } = inner;
  return {
    enqueue(jobs) {
      if (before === undefined && !jobs.some(needsSeal)) return inner.enqueue(jobs);
      const sealed = Promise.all(jobs.map((job) => (needsSeal(job) ? sealing.record(job) : Promise.resolve(job))));
      const turn = Promise.allSettled([before, sealed]);
      before = turn;
      void turn.then(() => {
        if (before === turn) before = undefined;
      });
      return turn.then(async () => inner.enqueue(await sealed));
    },
    async settle(settlements) {
      if (!settlements.some((one) => hasText(one) && sealing.seals(one.job.name, textOf(one)))) {
        return inner.settle(settlements);
      }
      return inner.settle(await Promise.all(settlements.map((one) => sealSettlement(sealing, one))));
    },
    ...(note !== undefined && {
      async note(job: ClaimedJob, notes: readonly JobNote[], progress?: string) {
        const sealed = await Promise.all(
          notes.map(async ({ name, value }) => ({
            name,
            value: await sealing.seal(job.name, value, ["note", job.id, name]),
          })),
        );
        if (progress === undefined) return note.call(inner, job, sealed);
        return note.call(inner, job, sealed, await sealing.seal(job.name, progress, ["progress", job.id]));
      },
    }),
    ...(signal !== undefined && {
      async signal(id: string, name: string, value: string) {
        // A store keeps it as the note of that name.
        return signal.call(inner, id, name, await sealing.seal(undefined, value, ["note", id, `signal:${name}`]));
      },
    }),
  };
}

function hasText(settlement: Settlement): boolean {
  return textOf(settlement) !== "";
}

/** The text that a settlement may carry; "" where there is none. */
function textOf(settlement: Settlement): string {
  if (settlement.to === "succeeded") return settlement.result ?? "";
  return "error" in settlement ? (settlement.error?.data ?? "") : "";
}

async function sealSettlement(sealing: Sealing, settlement: Settlement): Promise<Settlement> {
  const { name, id } = settlement.job;
  if (settlement.to === "succeeded") {
    const { result } = settlement;
    return result === undefined
      ? settlement
      : { ...settlement, result: await sealing.seal(name, result, ["result", id]) };
  }
  if (!("error" in settlement) || settlement.error?.data === undefined) return settlement;
  const { error } = settlement;
  const data = await sealing.seal(name, settlement.error.data, errorPlace(id, settlement.error));
  return { ...settlement, error: { ...error, data } };
}

function errorPlace(id: string, { attempt, code }: AttemptError): Place {
  return ["error", id, `${attempt} ${code}`];
}

function openingVerbs(inner: StoreSession, sealing: Sealing): Verbs {
  const { notes, dependencies } = inner;
  const open = async (record: JobRecord | undefined): Promise<JobRecord | undefined> =>
    record === undefined ? undefined : openRecord(sealing, record);
  return {
    get: (id) => opened(inner.get(id), open),
    finished: (id, signal) => opened(inner.finished(id, signal), open),
    list: (filter) =>
      // Nobody reads payloads and results out of a list.
      opened(inner.list(filter), (records) => each(records, (record) => openMembers(sealing, record, ["progress"]))),
    ...(notes !== undefined && {
      notes: (id: string) =>
        opened(notes.call(inner, id), (kept) =>
          each(kept, (note) => openMember(sealing, note, "value", ["note", id, note.name])),
        ),
    }),
    ...(dependencies !== undefined && {
      dependencies: (id: string) =>
        opened(dependencies.call(inner, id), (all) =>
          each(all, (one) => openMember(sealing, one, "result", ["result", one.id])),
        ),
    }),
  };
}

async function opened<T>(answer: StoreResult<T>, open: (value: T) => Promise<T>): StoreResult<T> {
  const settled = await answer;
  return settled.ok ? new Ok(await open(settled.value)) : settled;
}

function each<T>(values: readonly T[], open: (value: T) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(values.map(open));
}

async function openRecord(sealing: Sealing, record: JobRecord): Promise<JobRecord> {
  const read = await openMembers(sealing, record, ["payload", "result", "progress"]);
  if (!read.errors.some(({ data }) => data !== undefined && isSealed(data))) return read;
  const errors = await each(read.errors, (error) => openMember(sealing, error, "data", errorPlace(record.id, error)));
  return keepReason(read, { ...read, errors });
}

async function openMembers(
  sealing: Sealing,
  record: JobRecord,
  members: readonly ("payload" | "result" | "progress")[],
): Promise<JobRecord> {
  let read = record;
  for (const member of members) {
    read = await openMember(sealing, read, member, [member, member === "payload" ? record.name : record.id]);
  }
  return read;
}

/** The same object where there is nothing to open. */
async function openMember<T extends object>(sealing: Sealing, read: T, member: keyof T, place: Place): Promise<T> {
  const text = read[member];
  if (typeof text !== "string" || !isSealed(text)) return read;
  const result = await sealing.open(text, place);
  if (result.ok) return keepReason(read, { ...read, [member]: result.value });
  const copy = { ...read };
  locked.set(copy, locked.get(read) ?? result.fault);
  return copy;
}

function keepReason<T extends object>(from: object, to: T): T {
  const reason = locked.get(from);
  if (reason !== undefined) locked.set(to, reason);
  return to;
}
