/** The verbs of a session about what a job keeps, waits for, and is held back by: each asks the paths, and says so where work may have come of it. */
import type { StoreFlow, StoreResult } from "../jobs/index.ts";
import type { Paths } from "./paths.ts";

export function flowVerbs(
  paths: Paths,
  act: <T>(verb: () => Promise<T>) => StoreResult<T>,
  announce: () => void,
): StoreFlow {
  return {
    note: (job, notes, progress) => act(() => paths.note(job, notes, progress)),
    notes: (id) => act(() => paths.notes(id)),
    async signal(id, name, value) {
      const done = await act(() => paths.signal(id, name, value));
      if (done.ok && done.value === "ready") announce();
      return done;
    },
    dependencies: (id) => act(() => paths.dependencies(id)),
    pause: (names) => act(() => paths.pause(names, true)),
    async resume(names) {
      const done = await act(() => paths.pause(names, false));
      announce();
      return done;
    },
    paused: () => act(() => paths.paused()),
    backlog: (names) => act(() => paths.reads.backlog(names)),
  };
}
