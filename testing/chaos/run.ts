/**
 * `npm run chaos -- [--minutes N] [--seed N] [--store sqlite,postgres]`: chaos in its long form, with what was done printed as it goes. Exits with 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";
import { postgresPlace, sqlitePlace } from "./places.ts";
import { type SmallDisk, smallDisk } from "./small-disk.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    store: { type: "string", default: "sqlite,postgres" },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const stores = values.store.split(",");
const unknown = stores.filter((name) => name !== "sqlite" && name !== "postgres");
if (!(minutes > 0) || !Number.isSafeInteger(seed) || unknown.length > 0) {
  console.error("chaos: --minutes takes a number over 0, --seed a whole number, --store sqlite, postgres or both.");
  process.exit(2);
}

// What is waited for may be connections alone, which keep no process alive.
const alive = setInterval(() => undefined, 1_000);
const disks: SmallDisk[] = [];
try {
  for (const name of stores) {
    const disk = smallDisk(name === "sqlite" ? 256 : 1_500);
    disks.push(disk);
    const place = name === "sqlite" ? sqlitePlace({ disk }) : await postgresPlace({ disk });
    const say = (line: string): void => console.log(`${name}: ${line}`);
    if (!disk.isOwn) say("no file system can be mounted here, so the disk is never full");
    const report = await chaos(place, { seed, ms: (minutes * 60_000) / stores.length, say });
    say(`${report.acknowledged} jobs acknowledged, ${report.refused} calls refused or cut off`);
    for (const { rule, text } of report.violations) say(`BROKEN ${rule}: ${text}`);
    say(report.violations.length === 0 ? "every promise was kept" : `${report.violations.length} promises were broken`);
    if (report.violations.length > 0) process.exitCode = 1;
  }
} finally {
  clearInterval(alive);
  for (const disk of disks) disk.remove();
}
process.exit();
