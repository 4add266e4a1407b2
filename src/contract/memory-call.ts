/**
 * Calls an app's operations and jobs in the same process: for tests, and for server code that would otherwise call itself over
 * the network. Input and output pass through the same codecs as on the wire, so a call that works here works there.
 */
import { Err, ok, type Fault, type MaybePromise, type Result } from "../core/index.ts";
import { compile, type AnySchema, type Codec } from "../schema/index.ts";
import type { BoundApp, BoundJob, BoundOperation } from "./bind.ts";
import type { CallFaultOf, InputOf, Members, OutputOf } from "./contract.ts";
import { invalidInput } from "./framework-faults.ts";
import { incomingOf, type MemoryCallOptions } from "./memory-incoming.ts";
import { MemoryRun } from "./memory-run.ts";
import { memoryStream } from "./memory-stream.ts";
import { schemaOf } from "./operation.ts";
import type { ResultStream } from "./result-stream.ts";

/**
 * One function for each operation, and for each job one that runs a single attempt at once, without a store. A subscription is
 * iterated: `for await (const item of app.call.cityChanges({}))`.
 */
export type MemoryCalls<M extends Members> = {
  readonly [K in keyof M]: (
    input: InputOf<M[K]>,
    options?: MemoryCallOptions,
  ) => M[K]["type"] extends "subscription"
    ? ResultStream<OutputOf<M[K]>, CallFaultOf<M[K]>>
    : Promise<Result<OutputOf<M[K]>, CallFaultOf<M[K]>>>;
};

type AnyCodec = Codec<unknown, unknown>;
type AnyResult = Result<unknown, Fault>;

/** The codecs of a member are compiled when it is first called. */
export function memoryCalls<M extends Members>(app: BoundApp): MemoryCalls<M> {
  const calls: { [name: string]: (input: unknown, options?: MemoryCallOptions) => unknown } = {};
  for (const bound of app.operations.values()) {
    const { operation, open } = bound;
    if (open !== undefined) {
      calls[operation.name] = memoryStream(app, bound, open);
      continue;
    }
    const run = roundTrip(app, operation.name, schemaOf(operation.input), schemaOf(operation.output));
    calls[operation.name] = (input, options = {}) => run(input, (decoded) => callOperation(bound, decoded, options));
  }
  for (const bound of app.jobs.values()) {
    const { job } = bound;
    const run = roundTrip(
      app,
      job.name,
      schemaOf(job.input),
      job.output === undefined ? undefined : schemaOf(job.output),
    );
    calls[job.name] = (input, options = {}) =>
      run(input, (decoded) => runJob(bound, decoded, options, app.clock.now()));
  }
  // Built from the contract whose members M are.
  return Object.freeze(calls) as unknown as MemoryCalls<M>;
}

async function callOperation(bound: BoundOperation, input: unknown, options: MemoryCallOptions): Promise<AnyResult> {
  const incoming = incomingOf(options);
  const admitted = await bound.admitAs(options.auth, incoming);
  return admitted.ok ? bound.call(incoming, admitted.value, input) : admitted;
}

function runJob(bound: BoundJob, input: unknown, options: MemoryCallOptions, now: number): MaybePromise<AnyResult> {
  return bound.run({ run: new MemoryRun(bound.job, now), signal: options.signal }, input);
}

/** encode input -> decode input -> run -> encode output -> decode output. */
function roundTrip(
  app: BoundApp,
  name: string,
  inputSchema: AnySchema,
  outputSchema: AnySchema | undefined,
): (input: unknown, run: (decoded: unknown) => MaybePromise<AnyResult>) => Promise<AnyResult> {
  let inputCodec: AnyCodec | undefined;
  let outputCodec: AnyCodec | undefined;
  const travel = async (input: unknown, run: (decoded: unknown) => MaybePromise<AnyResult>): Promise<AnyResult> => {
    inputCodec ??= compile(inputSchema);
    const written = inputCodec.encode(input);
    const decoded = written.ok ? await inputCodec.parse(written.value) : written;
    if (!decoded.ok) return new Err(invalidInput(decoded.fault));
    const result = await run(decoded.value);
    if (!result.ok) return result;
    if (outputSchema === undefined) return ok();
    outputCodec ??= compile(outputSchema);
    const answered = outputCodec.encode(result.value);
    const output = answered.ok ? await outputCodec.parse(answered.value) : answered;
    if (output.ok) return output;
    return new Err(
      app.defect(name, new TypeError(`The output of "${name}" does not fit its schema: ${output.fault.message}`)),
    );
  };
  // What throws here is a schema of another library, or a getter of the value.
  return (input, run) => travel(input, run).catch((thrown: unknown) => new Err(app.defect(name, thrown)));
}
