/** Which function turns what a handler returned into a Result: subscriptions answer with streams, and runs of jobs can be left. */
import { isPromiseLike, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import type { CallScope } from "./call-scope.ts";
import type { Member } from "./contract.ts";
import { settleHandler, settleReturned } from "./handler.ts";
import type { Leavable } from "./job-run.ts";
import { settleStream } from "./stream-handler.ts";

type Settle = (returned: unknown, scope: CallScope) => MaybePromise<Result<unknown, Fault>>;

export function settlerOf(member: Member): Settle {
  if (member.type === "subscription") return settleStream;
  return member.type === "job" ? settleRun : settleHandler;
}

function settleRun(returned: unknown, { leavable }: CallScope): MaybePromise<Result<unknown, Fault>> {
  if (leavable === undefined) return settleHandler(returned);
  if (isPromiseLike(returned)) return untilLeft(returned, leavable);
  const settled = settleReturned(returned);
  return isPromiseLike(settled) ? untilLeft(settled, leavable) : settled;
}

/**
 * The outcome of the handler, or what the run was left with. A handler that is left is never resumed: to the program it looks as if the
 * process had ended there, so that no `catch` can take it for a failure.
 */
function untilLeft(running: PromiseLike<unknown>, leavable: Leavable): Promise<Result<unknown, Fault>> {
  return new Promise((resolve, reject) => {
    leavable.leave = resolve;
    // In a callback of its own, because a generator that an async handler returned may throw.
    running.then(settleHandler).then(resolve, reject);
  });
}
