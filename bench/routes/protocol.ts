/** What the `routes` benchmark and its measured process say to each other. */

/** Announced once everything is registered: microseconds from a process that has loaded its code and done nothing else. */
export interface RoutesReady {
  /** Operations and their schemas made, and joined to a contract. */
  readonly declareUs: number;
  /** The contract joined with its handlers, and bound. */
  readonly implementUs: number;
  /** The HTTP handler made: every route planned and put into the router. */
  readonly handlerUs: number;
  /** The first request answered after that: its codecs are compiled. */
  readonly firstUs: number;
  /** CPU time of the first three: every thread of the process, the garbage collector's as well. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** By how much the memory grew meanwhile. */
  readonly grownBytes: number;
}

/** Asks for requests through the handler, in turn over as many routes, evenly spread over all that there are. */
export interface LookupOrder {
  readonly routes: number;
  readonly requests: number;
}

/** Asks for the OpenAPI document as text. */
export interface DocumentOrder {
  readonly document: true;
}

export interface DocumentReport {
  readonly documentUs: number;
}

export interface LookupReport {
  /** CPU time of the process, per request. */
  readonly usPerRequest: number;
  /** What was answered wrongly, at most ten sentences. */
  readonly wrong: readonly string[];
}
