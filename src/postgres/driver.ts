/** The optional peer `pg`, loaded when a store is opened, and how it reads PostgreSQL's types for this store. */
import type { ConnectionOptions } from "node:tls";

/** What is used of `pg`. Written out, because its types are a package of their own, which users of this one need not have. */
export interface Driver {
  readonly Client: new (options: { readonly [name: string]: unknown }) => Client;
  readonly types: { getTypeParser(oid: number, format?: "text"): unknown };
}

export interface Client {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  query(statement: string | Statement): Promise<Answer>;
  /** The driver keeps nothing of this one beside the statement; `query_timeout` of a statement is held with a timer of its own. */
  query(statement: Statement, onAnswer: (error: Error | null, answer?: Answer) => void): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: { readonly payload?: string }) => void): unknown;
  ref(): void;
  unref(): void;
  readonly connection: { readonly stream: { destroy(error: Error): unknown } };
}

interface Answer {
  readonly rows: unknown[];
}

export interface Statement {
  readonly text: string;
  readonly values?: unknown[];
  /** Prepared under this name. */
  readonly name?: string;
  /** Milliseconds. */
  readonly query_timeout?: number;
}

/** How to reach a server, where one address does not say it all. */
export interface PostgresConnection {
  /** `postgres://user:password@host:port/database`. A host that is a folder (percent-encoded) is that of a Unix socket. */
  readonly url: string;
  /** Asked at every connect, for passwords that change (IAM tokens). Instead of one in the address. */
  readonly password?: () => string | Promise<string>;
  /** TLS as `node:tls` says it. Without it the address decides (`?sslmode=`). */
  readonly ssl?: ConnectionOptions;
}

export async function loadDriver(): Promise<Driver> {
  try {
    // Its own types say less than its documentation (ref, unref, pipeline), and are not asked of users.
    return (await import("pg")).default as unknown as Driver;
  } catch (cause) {
    throw new Error("Jobs on PostgreSQL need the package pg, which is not installed. Add it: npm install pg", {
      cause,
    });
  }
}

/**
 * The whole number that a text of the server is. Digit by digit, so that what is small is a small integer to V8 however hot this is: what comes out of optimized
 * `Number(text)` is a double, and fields that it is put into change with it, and all code that was made for them is thrown away.
 */
export function wholeNumber(text: string, from = 0, to = text.length): number {
  const isNegative = text.charCodeAt(from) === minus;
  let value = 0;
  for (let at = isNegative ? from + 1 : from; at < to; at++) value = value * 10 + (text.charCodeAt(at) - zero);
  return isNegative ? -value : value;
}

/** Those of an array, `{1,20,300}`, without nulls. */
export function wholeNumbers(text: string): number[] {
  const all: number[] = [];
  if (text.length <= 2) return all;
  for (let from = 1, to = 0; to < text.length - 1; from = to + 1) {
    to = text.indexOf(",", from);
    if (to < 0) to = text.length - 1;
    all.push(wholeNumber(text, from, to));
  }
  return all;
}

const minus = 45;
const zero = 48;
const int8 = 20;
const int8Array = 1016;

/** int8 comes as a number: every one of this store's fits (ids, milliseconds). JSON stays text: nothing here reads it. */
export function typesOf(driver: Driver): Driver["types"] {
  const text = (value: string): string => value;
  const own = (oid: number): unknown => {
    if (oid === int8) return wholeNumber;
    if (oid === int8Array) return wholeNumbers;
    return oid === 114 || oid === 3802 ? text : undefined;
  };
  const getTypeParser = (oid: number, format?: "text"): unknown => own(oid) ?? driver.types.getTypeParser(oid, format);
  return { getTypeParser };
}
