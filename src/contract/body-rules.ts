/** What a streamed body means for the call around it. */
import { durationMs } from "../core/index.ts";
import type { Member } from "./contract.ts";
import type { AnyFaultType } from "./fault.ts";
import { JobSuspended, SignalTimedOut } from "./framework-faults.ts";
import { bodyFaults } from "./http-faults.ts";
import type { Operation } from "./operation.ts";

const defaultTimeoutMs = durationMs("30s");
const streamedTimeoutMs = durationMs("1h");

/** Of a call that does not say. A form is there when the handler begins; what it reads by itself takes as long as the client does. */
export function timeoutMsOf({ options: { body, timeout } }: Operation): number {
  if (timeout !== undefined) return durationMs(timeout);
  return body === undefined || (body.kind === "multipart" && body.deliver === "whole")
    ? defaultTimeoutMs
    : streamedTimeoutMs;
}

/** The faults that a member may answer with by itself: a handler that reads a body may let pass what broke it off. */
export function ownFaults(member: Member): readonly AnyFaultType[] {
  if (member.type === "job") return [...member.faults, SignalTimedOut, JobSuspended];
  return member.options.body === undefined ? member.faults : [...member.faults, ...bodyFaults];
}
