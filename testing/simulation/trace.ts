/** A run as text: what went wrong, and the events of the jobs concerned, or all of them. */
import type { HistoryEvent } from "./history.ts";
import type { Run } from "./simulate.ts";

const longest = 400;

export function traceOf(run: Run, all = false): string {
  const { seed, violations, history } = run;
  const about = new Set(
    violations.flatMap(({ text }) => [...text.matchAll(/[Jj]ob (\d+)/g)].map(([, id]) => id ?? "")),
  );
  const shown = all || about.size === 0 ? history : history.filter((event) => concerns(event, about));
  const head = violations.length === 0 ? "keeps every promise" : `breaks ${violations.length} promises`;
  return [
    `Seed ${seed} ${head}.`,
    ...violations.map(({ rule, text }) => `  ${rule}: ${text}`),
    ...(violations.length === 0 && !all ? [] : shown.slice(-longest).map((event) => `  ${line(event)}`)),
    ...(violations.length === 0 ? [] : [`Again: npm run simulate -- --seed ${seed}`]),
  ].join("\n");
}

function concerns(event: HistoryEvent, ids: ReadonlySet<string>): boolean {
  switch (event.kind) {
    case "call":
      return event.asked.id === undefined
        ? (event.asked.settlements?.some(({ id }) => ids.has(id)) ?? true)
        : ids.has(event.asked.id);
    case "done":
      return event.done.ids?.some(({ id }) => ids.has(id)) ?? false;
    case "claimed":
      return event.claims.some(({ id }) => ids.has(id));
    case "began":
    case "step":
    case "heard":
      return ids.has(event.id);
    case "answered":
      return false;
    case "lost":
    case "fault":
    case "clock":
    case "defect":
    case "final":
      return true;
  }
}

function line(event: HistoryEvent): string {
  return `${event.at.toFixed(0).padStart(7)} ms  ${words(event)}`;
}

function words(event: HistoryEvent): string {
  switch (event.kind) {
    case "call":
      return `${event.worker} calls ${event.verb} ${event.call}: ${asked(event)}`;
    case "done":
      return `call ${event.call} is done: ${event.done.ids?.map(({ id, duplicate }) => (duplicate ? `duplicate of ${id}` : id)).join(", ") ?? event.done.receipts?.join(", ") ?? event.done.state ?? "nothing"}`;
    case "answered":
      return `call ${event.call} is answered: ${event.ok ? "kept" : "refused"}`;
    case "claimed":
      return `${event.worker} claims ${event.claims.map(({ id, attempt, fence }) => `${id} (attempt ${attempt}, fence ${fence.epoch}.${fence.claim})`).join(", ")}`;
    case "began":
      return `${event.worker} begins attempt ${event.attempt} of ${event.id}`;
    case "step":
      return `${event.worker} takes the step ${event.name} of ${event.id}`;
    case "heard":
      return `${event.worker} hears ${event.value ?? "nothing"} as ${event.name} of ${event.id}`;
    case "lost":
      return `${event.worker} may have lost its claims: ${event.why}`;
    case "fault":
      return `-- ${event.what}`;
    case "clock":
      return `-- the wall clock steps by ${event.by} ms`;
    case "defect":
      return `!! ${event.what}`;
    case "final":
      return `in the end: ${event.records.map(({ id, state, attempt }) => `${id} ${state} (${attempt})`).join(", ")}`;
  }
}

function asked({ asked: { jobs, settlements, id, names } }: Extract<HistoryEvent, { readonly kind: "call" }>): string {
  if (jobs !== undefined)
    return jobs
      .map(({ name, key, uniqueKey, after }) =>
        [name, key, uniqueKey, after === undefined ? undefined : `after ${after.jobs.join("+")}`]
          .filter(Boolean)
          .join("/"),
      )
      .join(", ");
  if (settlements !== undefined)
    return settlements.map(({ id: job, attempt, to }) => `${job} (attempt ${attempt}) ${to}`).join(", ");
  return [id, ...(names ?? [])].filter(Boolean).join(" ");
}
