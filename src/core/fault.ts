/**
 * A fault is a declared failure: a value, not an exception. It has no stack, costs one small object, and its code and data
 * are part of the contract, so the compiler knows every failure that a call can end with.
 */
import { kinds, type Kind } from "./kinds.ts";

export class Fault<out Code extends string = string, out Data = unknown> {
  /** Machine-readable, unique within a contract, upper snake case: `CITY_NOT_FOUND`. */
  readonly code: Code;
  /** The row of the kind table that gives HTTP status, gRPC status, GraphQL code and retryability. */
  readonly kind: Kind;
  /** Typed data that goes to the client with the code. Never put secrets here. */
  readonly data: Data;
  /** A sentence for people. Goes to the client. */
  readonly message: string;

  constructor(code: Code, kind: Kind, data: Data, message: string) {
    this.code = code;
    this.kind = kind;
    this.data = data;
    this.message = message;
  }

  /** Whether repeating the same call unchanged may succeed. */
  get retryable(): boolean {
    return kinds[this.kind].retryable;
  }

  toString(): string {
    return `${this.code}: ${this.message}`;
  }

  toJSON(): { code: Code; kind: Kind; message: string; data: Data } {
    return { code: this.code, kind: this.kind, message: this.message, data: this.data };
  }
}

/** Any fault at all: what code that handles every failure alike accepts. */
export type AnyFault = Fault;
