/** What is known about a request before its body is read. */
import type { Reply } from "../exchange/index.ts";
import type { Principal } from "./access.ts";

export interface Incoming {
  /** A header by lower-case name. */
  header(name: string): string | undefined;
  /** The peer's IP address; "" in memory and where the carrier cannot know it. */
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Header fields of the answer. */
  readonly reply: Reply;
}

/** The same once it is known who is calling. */
export interface AdmitCall extends Incoming {
  /** The caller; undefined for nobody. */
  readonly auth: Principal | undefined;
}
