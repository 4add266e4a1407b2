/** What many share: rates, and turns of tenants. */
import type { Promises } from "./history.ts";
import type { History } from "./history-index.ts";
import type { Complain } from "./violation.ts";

interface Start {
  readonly id: string;
  readonly name: string;
  readonly place: number;
  readonly wall: number | undefined;
}

function startsOf({ events }: History): Start[] {
  return events.flatMap((event, place) =>
    event.kind === "claimed" ? event.claims.map(({ id, name }) => ({ id, name, place, wall: event.wall })) : [],
  );
}

/** GCRA, counted again by the wall clock of the store. A clock that is put back holds up nothing for longer than the period. */
export function checkRates(
  history: History,
  promises: Promises,
  rates: "kept" | "lost with a process",
  complain: Complain,
): void {
  const arrivals = new Map<string, { at: number; place: number; wall: number }>();
  const losses = rates === "kept" ? [] : [...history.lost.values()].flat();
  for (const { id, name, place, wall } of startsOf(history)) {
    const { rate } = promises(name);
    if (rate === undefined || wall === undefined) continue;
    const group = rate.of === "name" ? name : `${name}/${history.jobs.get(id)?.key}`;
    const interval = rate.periodMs / rate.limit;
    const known = arrivals.get(group) ?? { at: -Infinity, place: -1, wall: -Infinity };
    // When the store looked at a clock that was put back is not known.
    const unsure =
      wall < known.wall || [...losses, ...history.putBacks].some((lost) => lost > known.place && lost < place);
    const at = unsure ? -Infinity : known.at;
    const opens = at - rate.periodMs + interval;
    if (wall < opens - 1)
      complain("rate", `Job ${id} started ${Math.ceil(opens - wall)} ms before the rate of ${group} let it.`);
    arrivals.set(group, { at: Math.max(at, wall) + interval, place, wall });
  }
}

/** How many turns more than its own a tenant may see another have, for what was on its way. */
const turnsAhead = 2;

/** While a tenant has a job that could start, another starts no more jobs than it, but for a few. */
export function checkTurns(history: History, promises: Promises, complain: Complain): void {
  const starts = startsOf(history).filter(({ name }) => promises(name).turns === true);
  const tenantOf = (id: string): string => history.jobs.get(id)?.tenant ?? "";
  const losses = [...history.lost.values()].flat();
  for (const job of history.jobs.values()) {
    const claimed = starts.find(({ id }) => id === job.id)?.place;
    if (
      promises(job.name).turns !== true ||
      claimed === undefined ||
      job.runAt !== undefined ||
      job.delayMs !== undefined ||
      job.after !== undefined
    )
      continue;
    const between = starts.filter(({ place }) => place > job.doneAt && place < claimed);
    const counts = new Map<string, number>();
    for (const { id } of between) counts.set(tenantOf(id), (counts.get(tenantOf(id)) ?? 0) + 1);
    const own = counts.get(job.tenant ?? "") ?? 0;
    // What a crash hands back stands before all others, whosever it is.
    if (losses.some((place) => place > job.doneAt && place < claimed)) continue;
    for (const [tenant, count] of counts)
      if (tenant !== job.tenant && count > own + turnsAhead)
        complain("turns", `Job ${job.id} of ${job.tenant} was ready while ${tenant} had ${count} turns to its ${own}.`);
  }
}
