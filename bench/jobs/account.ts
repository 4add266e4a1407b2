/** The account of all jobs that a measured process was given, when it has worked them off. */
import type { Measured } from "../processes.ts";
import type { JobsOrder, JobsVerdict } from "./protocol.ts";

export interface Account {
  readonly verdict: JobsVerdict;
  /** What is wrong in it, as sentences. */
  readonly wrong: readonly string[];
}

/** Works off what is left first. */
export async function accountFor(child: Measured): Promise<Account> {
  const verdict = (await child.order({ do: "settle" } satisfies JobsOrder)) as JobsVerdict;
  const { acknowledged, neverRan, left } = verdict;
  const wrong = [...verdict.wrong];
  if (neverRan > 0) wrong.push(`${neverRan} of ${acknowledged} acknowledged jobs never ran`);
  if (left > 0) wrong.push(`${left} jobs are not done`);
  if (acknowledged === 0) wrong.push("no job was acknowledged");
  return { verdict, wrong };
}
