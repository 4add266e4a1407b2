/**
 * The import as a person sees it: one line that redraws itself on a terminal, a line for every tenth elsewhere.
 */
import type { OnProgress } from "../importer.ts";

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const redrawMs = 100;

/** `now` gives milliseconds of any origin. */
export function progressReport(screen: Screen, now: () => number = () => performance.now()): OnProgress {
  let run: { job: string; began: number; from: number; drawn: number; tenth: number } | undefined;

  return ({ job, rows, total, imported, rejected, finished_at }) => {
    const time = now();
    if (run?.job !== job) {
      run = { job, began: time, from: rows, drawn: -Infinity, tenth: Math.floor((rows * 10) / total) };
      if (finished_at !== null) return;
      const resumed = `The import goes on after row ${count(rows)} of ${count(total)}.\n`;
      screen.write(rows === 0 ? `Importing ${count(total)} rows.\n` : resumed);
    }
    const seconds = (time - run.began) / 1000;
    const rate = (rows - run.from) / Math.max(seconds, 0.001);
    const speed = `${count(rate)}/s`;
    const percent = Math.floor((rows * 100) / total);

    if (finished_at !== null) {
      if (screen.isTTY) screen.write(clearLine);
      const rejects = rejected > 0 ? ` ${count(rejected)} rows were no cities: GET /imports/${job} says why.` : "";
      screen.write(`Imported ${count(imported)} cities in ${seconds.toFixed(1)} s (${speed}).${rejects}\n`);
      run = undefined;
    } else if (screen.isTTY && time - run.drawn >= redrawMs) {
      run.drawn = time;
      const line = [`${bar(rows / total)} ${percent} %`, `${count(rows)} of ${count(total)}`];
      if (rate > 0) line.push(speed, `${Math.ceil((total - rows) / rate)} s left`);
      screen.write(clearLine + line.join("  ").slice(0, (screen.columns ?? 80) - 1));
    } else if (!screen.isTTY && Math.floor(percent / 10) > run.tenth) {
      run.tenth = Math.floor(percent / 10);
      screen.write(`Importing: ${percent} %, ${count(rows)} of ${count(total)} rows, ${speed}\n`);
    }
  };
}

const clearLine = "\r\u001b[K";

function bar(share: number): string {
  const cells = 24;
  const full = Math.round(share * cells);
  return "█".repeat(full) + "░".repeat(cells - full);
}

/** `135,233` */
export function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}
