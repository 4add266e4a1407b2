/** Where an engine listens: what may be said about it, how it is bound, and what to do when the system refuses. */
import type { Server } from "node:net";
import { Fault } from "../../core/index.ts";
import { withMode } from "./unix-path.ts";

export interface ListenOptions {
  /** 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`: opening a server to the network is a choice, not an accident. */
  readonly host?: string;
  /** Lets several processes or threads listen on one port, where the system can (SO_REUSEPORT). Default false. */
  readonly reusePort?: boolean;
  /** A Unix socket, in place of a port. One that a dead process has left is replaced; it is removed at the end. */
  readonly path?: string;
  /** Permissions of the Unix socket. Default 0o600: the user of this process. */
  readonly mode?: number;
}

export interface EngineAddress {
  /** "" for a Unix socket. */
  readonly host: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  /** The Unix socket, if it is one. */
  readonly path?: string;
}

/** The system refused to listen: `reason` is its code, such as EADDRINUSE or EACCES. */
export type ListenFault = Fault<
  "LISTEN_FAILED",
  { readonly reason: string; readonly host: string; readonly port: number; readonly path?: string }
>;

/** @throws TypeError for what cannot go together. */
export function checkWhere({ path, port, host, reusePort, mode }: ListenOptions, isTls: boolean): void {
  if (path === undefined) {
    if (port === undefined) throw new TypeError("An engine listens on a `port` or on a `path`.");
    if (mode !== undefined) throw new TypeError("`mode` is for a Unix socket: it needs a `path`.");
    return;
  }
  if (port !== undefined || host !== undefined || reusePort === true)
    throw new TypeError("An engine listens on a `path` or on a `port`, not on both.");
  if (isTls) throw new TypeError("A Unix socket needs no TLS: leave out `tls` or `path`.");
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o777))
    throw new TypeError(`The mode of a Unix socket is a number from 0 to 0o777; it is ${String(mode)}.`);
}

/** Without waiting: `listening` or `error` follows. */
export function bind(server: Server, where: ListenOptions, backlog: number): void {
  const { path } = where;
  if (path !== undefined) return withMode(path, where.mode ?? 0o600, () => void server.listen({ path, backlog }));
  server.listen({ ...addressOf(where), reusePort: where.reusePort === true, backlog });
}

/** As it was asked for. */
export function addressOf({ host = "127.0.0.1", port = 0, path }: ListenOptions): EngineAddress {
  return path === undefined ? { host, port } : { host: "", port: 0, path };
}

export function listenFault(reason: string, where: ListenOptions): ListenFault {
  const { host, port, path } = addressOf(where);
  const name = path === undefined ? `${host} port ${port}` : `the Unix socket ${path}`;
  const advice = (path === undefined ? portAdvice : pathAdvice)[reason] ?? reason;
  const data = { reason, host, port, ...(path !== undefined && { path }) };
  return new Fault("LISTEN_FAILED", "unavailable", data, `Cannot listen on ${name}: ${advice}.`);
}

/** What to do about the refusals that people meet. */
const portAdvice: { readonly [reason: string]: string } = {
  EADDRINUSE: "the port is in use. Stop the process that uses it, or choose another port",
  EACCES: "this user may not use that port. Choose one of 1024 or above",
  EADDRNOTAVAIL: "this machine does not have that address",
  ENOTFOUND: "the host name is not known",
};

const pathAdvice: { readonly [reason: string]: string } = {
  EADDRINUSE: "another process answers on it. Stop that process, or choose another path",
  EEXIST: "there is something that is not a socket. Remove it, or choose another path",
  EACCES: "this user may not write there. Choose another folder, or change its permissions",
  ENOENT: "its folder does not exist. Make it, or choose another path",
  ENAMETOOLONG: "the path is longer than the 107 bytes that the system allows",
  EINVAL: "the path is empty or holds a NUL",
};
