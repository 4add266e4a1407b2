/** Floor 3: the typed client of a contract. Imports nothing of Node. */
export { createClient, type CallOptions, type Client, type ClientOptions, type ClientRetry } from "./client.ts";
export { Aborted, NetworkError, Timeout, UnexpectedResponse, type TransportFault } from "./transport-faults.ts";
