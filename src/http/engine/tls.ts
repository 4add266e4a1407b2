/**
 * TLS in front of the engine: an accepted connection is a handshake, counted and timed, until it is an HTTP/1.1 or HTTP/2 one. The
 * certificate can be changed while it runs: handshakes that begin later have the new one, and nobody else notices.
 */
import type { Socket } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import { err, Fault, ok, type Result } from "../../core/index.ts";
import type { Carried, ConnectionHost } from "./connection-host.ts";

/** Who the server is. */
export interface TlsIdentity {
  /** PEM: the certificate, then those between it and a root. */
  readonly cert: string | Uint8Array;
  /** PEM. */
  readonly key: string | Uint8Array;
  /** For a key that is encrypted. */
  readonly passphrase?: string;
  /** PEM: who must have signed the certificates of clients. Default: the roots that Node brings. */
  readonly ca?: string | Uint8Array;
}

export interface EngineTls extends TlsIdentity {
  /** Only clients with a certificate that `ca` has signed are let in (mutual TLS). Default false. */
  readonly requestClientCert?: boolean;
  /** Default TLSv1.2. */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names, separated by ":". Default: those with forward secrecy and AEAD, as Mozilla's "intermediate" has them. */
  readonly ciphers?: string;
}

/** The certificate or key cannot be used: `reason` says why. */
export type TlsFault = Fault<"TLS_UNUSABLE", { readonly reason: string }>;

/** https://wiki.mozilla.org/Security/Server_Side_TLS, version 5.7. */
const intermediate = [
  ...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
  ...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ...["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");

/** A handshake that stays in the way of a drain longer than this is ended. */
const drainMs = 1_000;

/** Begins with a connection whose handshake is done. */
export type OnSecure = (handshake: Carried, socket: TLSSocket) => void;

export class TlsFront {
  readonly #host: ConnectionHost;
  readonly #options: EngineTls;
  /** Never listens: it makes TLS of the sockets that it is given. */
  readonly #server: Server;
  /** By the two ends of the connection. */
  readonly #handshakes = new Map<string, Handshake>();

  /** @throws TypeError for a certificate or key that cannot be used. */
  constructor(host: ConnectionHost, options: EngineTls, onSecure: OnSecure) {
    this.#host = host;
    this.#options = options;
    const unusable = judge(options, options);
    if (unusable !== null) throw new TypeError(unusable.message);
    const { createServer } = process.getBuiltinModule("node:tls");
    const mutual = options.requestClientCert === true;
    this.#server = createServer({
      ...contextOptions(options, options),
      ALPNProtocols: host.http2 === null ? ["http/1.1"] : ["h2", "http/1.1"],
      requestCert: mutual,
      rejectUnauthorized: mutual,
      pauseOnConnect: true,
      // A backstop: the engine's own deadline is earlier.
      handshakeTimeout: host.limits.handshakeTimeoutMs * 2,
    });
    this.#server.on("secureConnection", (socket) => {
      const handshake = this.#handshakes.get(endsOf(socket));
      socket.on("error", ignore);
      if (handshake === undefined) return void socket.destroy();
      socket.disableRenegotiation();
      socket.allowHalfOpen = true;
      handshake.done();
      onSecure(handshake, socket);
    });
    // What went wrong is the client's affair: its connection closes, and nothing else.
    this.#server.on("tlsClientError", (_, socket) => socket.destroy());
  }

  /** Begins the handshake of an accepted connection. Null: too many are under way. */
  begin(socket: Socket): Carried | null {
    if (this.#handshakes.size >= this.#host.limits.handshakes) return null;
    const ends = endsOf(socket);
    const handshake = new Handshake(this.#host, socket, () => this.#handshakes.delete(ends));
    this.#handshakes.set(ends, handshake);
    socket.on("error", ignore);
    socket.on("close", () => handshake.closed());
    // Half a handshake leads nowhere: a client that ends is gone.
    socket.allowHalfOpen = false;
    this.#server.emit("connection", socket);
    return handshake;
  }

  /** Takes another certificate for all handshakes that begin from now on. A bad one changes nothing. */
  renew(identity: TlsIdentity): Result<null, TlsFault> {
    const unusable = judge(identity, this.#options);
    if (unusable !== null) return err(unusable);
    this.#server.setSecureContext(contextOptions(identity, this.#options));
    return ok(null);
  }
}

function contextOptions(identity: TlsIdentity, { minVersion, ciphers }: EngineTls): object {
  const { cert, key, passphrase, ca } = identity;
  return {
    ...{ cert: bytes(cert), key: bytes(key), ciphers: ciphers ?? intermediate, minVersion: minVersion ?? "TLSv1.2" },
    honorCipherOrder: false,
    ...(passphrase !== undefined && { passphrase }),
    ...(ca !== undefined && { ca: bytes(ca) }),
  };
}

function bytes(pem: string | Uint8Array): string | Buffer {
  return typeof pem === "string" ? pem : Buffer.from(pem);
}

/** Null: it can be used. */
function judge(identity: TlsIdentity, options: EngineTls): TlsFault | null {
  const { createSecureContext } = process.getBuiltinModule("node:tls");
  try {
    // OpenSSL takes an empty text for none at all.
    for (const part of ["cert", "key"] as const)
      if (identity[part].length === 0) throw new TypeError(`"${part}" is empty`);
    createSecureContext(contextOptions(identity, options));
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return tlsUnusable(reason);
  }
}

export function tlsUnusable(reason: string): TlsFault {
  const message = `The TLS certificate and key cannot be used: ${reason}. Give the PEM of a certificate (with its chain) and of the key that belongs to it.`;
  return new Fault("TLS_UNUSABLE", "failed_precondition", { reason }, message);
}

/** Both ends of a connection: no other that is open has the same. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

class Handshake implements Carried {
  readDeadline: number;
  readonly writeDeadline = Infinity;
  readonly isUnfinished = false;
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #onEnd: () => void;
  #isDone = false;

  constructor(host: ConnectionHost, socket: Socket, onEnd: () => void) {
    this.#host = host;
    this.#socket = socket;
    this.#onEnd = onEnd;
    this.readDeadline = host.monotonic() + host.limits.handshakeTimeoutMs;
    host.wakeAt(this.readDeadline);
  }

  expire(now: number): void {
    if (this.readDeadline > now) return;
    this.#host.counters.timedOut++;
    this.destroy();
  }

  drain(): void {
    this.readDeadline = Math.min(this.readDeadline, this.#host.monotonic() + drainMs);
    this.#host.wakeAt(this.readDeadline);
  }

  destroy(): void {
    this.#socket.destroy();
    this.closed();
  }

  /** Another entry stands for the connection from now on. */
  done(): void {
    this.#isDone = true;
    this.readDeadline = Infinity;
    this.#onEnd();
  }

  closed(): void {
    if (this.#isDone) return;
    this.done();
    this.#host.forget(this);
  }
}

function ignore(): void {}
