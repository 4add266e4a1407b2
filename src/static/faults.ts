/** The failures of serving files, and how they are written. Every code has a row in docs/errors.md. */
import { PreconditionFailed, RouteNotFound, fault, type AnyFaultType } from "../contract/index.ts";
import type { Fault } from "../core/index.ts";
import { ProblemWriter, type HttpResponse } from "../http/index.ts";
import { t } from "../schema/index.ts";

const RangeNotSatisfiable = fault("RANGE_NOT_SATISFIABLE", {
  kind: "out_of_range",
  data: { size: t.int() },
  message: ({ size }) => `The range begins after the end of the file, which has ${size} bytes.`,
});
const FilesBusy = fault("FILES_BUSY", {
  kind: "unavailable",
  message: "This server has too many files open to open another one now.",
});

const notFoundWriter = new ProblemWriter(RouteNotFound);
const preconditionWriter = new ProblemWriter(PreconditionFailed);
const busyWriter = new ProblemWriter(FilesBusy);
const rangeWriter = new ProblemWriter(RangeNotSatisfiable);

/** The same for a file that is not there and for one that may not be had: nobody learns which. */
export const notFound = (): HttpResponse => written(notFoundWriter, RouteNotFound, RouteNotFound());
export const preconditionFailed = (): HttpResponse =>
  written(preconditionWriter, PreconditionFailed, PreconditionFailed());
export const filesBusy = (): HttpResponse => written(busyWriter, FilesBusy, FilesBusy());

export function rangeNotSatisfiable(size: number): HttpResponse {
  const response = written(rangeWriter, RangeNotSatisfiable, RangeNotSatisfiable({ size }));
  return { ...response, headers: response.headers.with("content-range", `bytes */${size}`) };
}

function written(writer: ProblemWriter, { code }: AnyFaultType, value: Fault): HttpResponse {
  const response = writer.write(value, undefined);
  if (response === undefined) throw new TypeError(`The data of ${code} does not fit its schema.`);
  return response;
}
