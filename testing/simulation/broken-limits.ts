/** Stores with one mistake each in what jobs share or keep: limits, order, tenants, pauses, schedules, notes and signals. */
import { ok } from "../../src/core/index.ts";
import type { JobNote } from "../../src/jobs/index.ts";
import { type BrokenStore, enqueuing, onClaims, withPolicy, wrapped } from "./broken-door.ts";
import { without } from "./told.ts";

export const brokenLimits: readonly BrokenStore[] = [
  {
    name: "does not keep the order of a key",
    breaks: "order",
    break: (place) => withPolicy(place, (policy) => ({ ...policy, perKey: { ...policy.perKey, ordered: false } })),
  },
  {
    name: "lets one more of a key run",
    breaks: "concurrency",
    break: (place) =>
      withPolicy(place, ({ perKey: { concurrency, ...perKey } = {}, ...policy }) => ({
        ...policy,
        perKey: { ...perKey, ...(concurrency !== undefined && { concurrency: concurrency + 1 }) },
      })),
  },
  {
    name: "lets one more through a gate",
    breaks: "concurrency",
    on: "fleet",
    break: (place) =>
      withPolicy(place, (policy) => ({
        ...policy,
        gates: (policy.gates ?? []).map((gate) =>
          gate.concurrency === undefined ? gate : { ...gate, concurrency: gate.concurrency + 1 },
        ),
      })),
  },
  {
    name: "lets one more start in each period of a gate",
    breaks: "rate",
    break: (place) =>
      withPolicy(place, (policy) => ({
        ...policy,
        gates: (policy.gates ?? []).map(({ rate, ...gate }) =>
          rate === undefined ? gate : { ...gate, rate: { ...rate, limit: rate.limit + 1 } },
        ),
      })),
  },
  {
    name: "lets one more of a key start in each period",
    breaks: "rate",
    break: (place) =>
      withPolicy(place, ({ perKey: { rate, ...perKey } = {}, ...policy }) => ({
        ...policy,
        perKey: { ...perKey, ...(rate !== undefined && { rate: { ...rate, limit: rate.limit + 1 } }) },
      })),
  },
  {
    name: "lets the tenant that came first have all turns",
    breaks: "turns",
    break: enqueuing((job) => without(job, "tenant")),
  },
  {
    name: "does not wait for dependencies",
    breaks: "dependencies",
    break: enqueuing((job) => without(job, "after")),
  },
  {
    name: "goes on after a dependency that has failed",
    breaks: "dependencies",
    break: enqueuing((job) => (job.after === undefined ? job : { ...job, after: { ...job.after, on: "finished" } })),
  },
  {
    name: "makes a job for an occurrence that had one",
    breaks: "occurrences",
    on: "fleet",
    break: enqueuing((job) => without(job, "occurrence")),
  },
  {
    name: "hands over jobs of a paused name",
    breaks: "pauses",
    break: (place) => wrapped(place, { session: () => ({ pause: async () => ok(undefined) }) }),
  },
  {
    name: "forgets with its process what is paused",
    breaks: "pauses",
    break: (place) =>
      wrapped(place, {
        session: () => ({}),
        opened: async (session) => {
          const paused = await session.paused();
          if (paused.ok) void (await session.resume(paused.value));
        },
      }),
  },
  {
    name: "confirms notes that it does not keep",
    breaks: "steps",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          note: (job, notes, progress) => session.note(job, notes.filter(isNoStep), progress),
        }),
      }),
  },
  {
    name: "forgets the notes of a job that its process did not survive",
    breaks: "steps",
    break: (place) => {
      const lost = new Set<string>();
      const running = new Set<string>();
      return wrapped(place, {
        session: (session) => ({
          consume: (options) => session.consume(onClaims(options, (jobs) => jobs.forEach(({ id }) => running.add(id)))),
          settle: (settlements) => {
            for (const { job } of settlements) running.delete(job.id);
            return session.settle(settlements);
          },
          notes: async (id) => {
            const notes = await session.notes(id);
            return notes.ok && lost.has(id) ? ok(notes.value.filter(isNoStep)) : notes;
          },
        }),
        killed: () => {
          for (const id of running) lost.add(id);
          running.clear();
        },
      });
    },
  },
  {
    name: "takes notes from a process that has lost the job",
    breaks: "stale note",
    on: "fleet",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          note: async (job, notes, progress) => {
            const noted = await session.note(job, notes, progress);
            return noted.ok ? ok("settled") : noted;
          },
        }),
      }),
  },
  {
    name: "loses a signal that nobody waits for yet",
    breaks: "signals",
    break: (place) => {
      const waiting = new Set<string>();
      return wrapped(place, {
        session: (session) => ({
          settle: (settlements) => {
            for (const { job, to } of settlements) if (to === "waiting") waiting.add(job.id);
            return session.settle(settlements);
          },
          signal: async (id, name, value) => (waiting.has(id) ? session.signal(id, name, value) : ok("ready")),
        }),
      });
    },
  },
  {
    name: "does not wake who waits for a signal",
    breaks: "finished",
    break: (place) =>
      wrapped(place, {
        session: (session) => ({
          signal: async (id, name, value) => {
            const found = await session.get(id);
            if (!found.ok) return found;
            return found.value?.state === "waiting" ? ok("waiting") : session.signal(id, name, value);
          },
        }),
      }),
  },
  {
    name: "tells a job the last signal of a name, not the first",
    breaks: "signals",
    break: (place) => {
      const last = new Map<string, string>();
      return wrapped(place, {
        session: (session) => ({
          signal: async (id, name, value) => {
            const told = await session.signal(id, name, value);
            if (told.ok && told.value !== undefined) last.set(`${id} signal:${name}`, value);
            return told;
          },
          notes: async (id) => {
            const notes = await session.notes(id);
            if (!notes.ok) return notes;
            return ok(notes.value.map(({ name, value }) => ({ name, value: last.get(`${id} ${name}`) ?? value })));
          },
        }),
      });
    },
  },
];

function isNoStep({ name }: JobNote): boolean {
  return !name.startsWith("step:");
}
