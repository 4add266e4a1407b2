/**
 * Smuggling safety as a property: whatever the bytes, the engine accepts only requests that Node's own strict parser accepts
 * alike, and where the bytes are split changes nothing. One case per seed, so that any failure can be repeated alone.
 */
import type { EngineLimits } from "../limits.ts";
import { driveEngine } from "./drive.ts";
import { generateLimits, generateStream, randomNumbers, splitEverywhere, splitRandomly } from "./generate.ts";
import { createReference } from "./llhttp.ts";
import { disagreement, type EngineRecord } from "./record.ts";

export interface CampaignTally {
  readonly cases: number;
  /** Requests that both accepted alike. Far above zero, or the generator tests nothing. */
  readonly accepted: number;
  /** Requests that llhttp accepts and the engine refuses, or does not reach: the price of being strict. */
  readonly stricter: number;
}

/** Runs cases from `seed` on while `more` says so. Throws an Error that names the seed and the bytes at the first breach. */
export async function runCampaign(seed: number, more: (cases: number) => boolean): Promise<CampaignTally> {
  const reference = createReference();
  let cases = 0;
  let accepted = 0;
  let stricter = 0;
  for (; more(cases); cases++) {
    const random = randomNumbers(seed + cases);
    const bytes = generateStream(random);
    const limits = generateLimits(random);
    const whole = await driveEngine([bytes], limits);
    const peer = await reference.read(bytes);
    accepted += whole.requests.length;
    stricter += Math.max(0, peer.length - whole.requests.length);
    const breach = disagreement(whole, peer) ?? (await splitBreach(bytes, limits, whole, random));
    if (breach !== null)
      throw new Error(`seed ${seed + cases}: ${breach}\nbytes: ${JSON.stringify(bytes.toString("latin1"))}`);
  }
  return { cases, accepted, stricter };
}

async function splitBreach(
  bytes: Buffer,
  limits: Partial<EngineLimits>,
  whole: EngineRecord,
  random: () => number,
): Promise<string | null> {
  const ways = [splitRandomly(bytes, random)];
  // Byte by byte is slow and the richest; a part of the cases is enough.
  if (random() < 0.15) ways.push(splitEverywhere(bytes));
  for (const pieces of ways) {
    const split = await driveEngine(pieces, limits);
    if (JSON.stringify(split) !== JSON.stringify(whole))
      return `split into ${pieces.map((piece) => piece.length).join("+")} gives ${JSON.stringify(split)}, whole gives ${JSON.stringify(whole)}`;
  }
  return null;
}
