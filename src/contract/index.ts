/** Floor 2: the contract as data, its implementation, and the waist that binds the two. */
// For users: declaring.
export { fault, type AnyFaultType, type FaultsOf, type FaultType } from "./fault.ts";
export {
  checkPriority,
  mutation,
  query,
  schemaOf,
  type HttpRoute,
  type HttpRouteOptions,
  type Operation,
  type OperationOptions,
  type OperationType,
  type Priority,
  type SchemaLike,
  type StreamOptions,
} from "./operation.ts";
export { subscription } from "./subscription.ts";
export {
  file,
  files,
  multipart,
  ndjson,
  octets,
  type Body,
  type BodyOf,
  type ClientBody,
  type FileOptions,
  type FilePart,
  type ItemsBody,
  type ItemSource,
  type ItemsOptions,
  type MultipartBody,
  type MultipartOptions,
  type OctetsBody,
  type OctetSource,
  type OctetsOptions,
  type OctetStream,
  type UploadedFile,
  type UploadOptions,
} from "./body.ts";
export {
  job,
  type BackPressureSettings,
  type Job,
  type JobOptions,
  type JobSchedule,
  type JobSettings,
  type Signals,
} from "./job.ts";
export type { KeyOptions, QueueOptions, RateLimit, RateSettings, SharedLimits, UniqueOptions } from "./job-policy.ts";
export { QueueFull, StoreUnavailable } from "./job-faults.ts";
export {
  backoffMs,
  discard,
  exponential,
  fixed,
  linear,
  retry,
  retryAfter,
  snooze,
  type Backoff,
  type BackoffOptions,
  type RetryDecision,
  type RetryPolicy,
} from "./retry.ts";
export {
  contract,
  type CallFaultOf,
  type Contract,
  type ContractOptions,
  type DeclaredFaultOf,
  type InputOf,
  type Members,
  type OperationName,
  type OutputOf,
} from "./contract.ts";
export type { Access, Principal } from "./access.ts";
// For users: implementing.
export {
  implementContract,
  type Authenticate,
  type CallerAnswer,
  type ContextCall,
  type Implementation,
  type Implemented,
} from "./implement.ts";
export type { AdmitCall, Incoming } from "./incoming.ts";
export { refuseCaller } from "./refusal.ts";
export type { CallTools, Handler, Handlers, JobTools, StreamTools } from "./handler.ts";
export type { JobParent, JobRun, StepOptions, StepRun, WaitOptions } from "./job-run.ts";
export {
  middleware,
  type Admit,
  type Middleware,
  type MiddlewareCall,
  type MiddlewareParts,
  type Next,
  type Wire,
  type WireTools,
} from "./middleware.ts";
export { event, type StreamEvent } from "./stream-handler.ts";
export type {
  DeadLetterFilter,
  DeadLetters,
  Redriven,
  RedriveOptions,
  EnqueueFault,
  EnqueueOptions,
  GraphNode,
  JobBatch,
  JobEndFault,
  JobGraph,
  JobInfo,
  JobInfoState,
  JobRef,
  Jobs,
  NodeOptions,
  PauseTarget,
  PreparedJob,
  StartedGraph,
} from "./jobs-face.ts";
export { defaultChallenges } from "./challenges.ts";
export type { CallDeadline, CallParent } from "./call-parent.ts";
export {
  Cancelled,
  DeadlineExceeded,
  Internal,
  InvalidInput,
  InvalidPayload,
  JobSuspended,
  Overloaded,
  PermissionDenied,
  ShuttingDown,
  SignalTimedOut,
  Unauthenticated,
  Unavailable,
  frameworkFaults,
  invalidInput,
  type FrameworkFault,
} from "./framework-faults.ts";
// For protocols and the job engine.
export type { JobAttempt } from "./attempt-source.ts";
export { bind, type BoundApp, type BoundJob, type BoundOperation } from "./bind.ts";
export { memoryCalls, type MemoryCalls } from "./memory-call.ts";
export type { OpenStream, StreamIncoming } from "./bind-stream.ts";
export type { ItemStream } from "./item-stream.ts";
export { wrongItem } from "./memory-stream.ts";
export { resultStream, streamFailed, streamed, type ResultSource, type ResultStream } from "./result-stream.ts";
export { StreamMoved, TooManyStreams, streamFaults, type StreamFault } from "./stream-faults.ts";
export {
  bearerProtocol,
  closeCodes,
  socketProtocol,
  type ClientMessage,
  type ServerMessage,
} from "./socket-protocol.ts";
export { isStreamId } from "./stream-handler.ts";
export type { StreamLimits } from "./stream-limits.ts";
// For protocols: how an operation travels in HTTP.
export { fillPath, parsePath, type PathPart } from "./http-path.ts";
export { httpPlan, lastEventIdKey, type HttpPlan, type TextField } from "./http-plan.ts";
export {
  BadBody,
  BodyTimeout,
  ClientGone,
  MethodNotAllowed,
  NotAcceptable,
  PayloadTooLarge,
  PreconditionFailed,
  RouteNotFound,
  UnsupportedMediaType,
  UploadStorageFull,
  httpFaults,
} from "./http-faults.ts";
