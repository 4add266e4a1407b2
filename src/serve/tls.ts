/**
 * The certificate of a server: read from files, renewed without a restart. The files are watched (by the system's notices, with no polling),
 * SIGHUP reads them again, and so does `server.reloadTls()`. A bad new certificate changes nothing and is reported.
 */
import { X509Certificate } from "node:crypto";
import { watch, type FSWatcher } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { err, type Clock, type LifecyclePart, type Result, type Timer } from "../core/index.ts";
import type { Engine, EngineTls, TlsFault, TlsIdentity } from "../http/index.ts";
import type { Events } from "../telemetry/index.ts";

/** How a server speaks TLS. What is PEM is used as it is; any other text is the path of a file. */
export interface TlsServeOptions {
  /** The certificate, then those between it and a root. */
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** For a key that is encrypted. */
  readonly passphrase?: string;
  /** Who must have signed the certificates of clients. */
  readonly ca?: string | Uint8Array;
  /** Only clients with a certificate that `ca` has signed are let in (mutual TLS). Default false. */
  readonly requestClientCert?: boolean;
  /** Default TLSv1.2. */
  readonly minVersion?: EngineTls["minVersion"];
  /** OpenSSL names, separated by ":". Default: those with forward secrecy and AEAD. */
  readonly ciphers?: string;
  /** Takes a new certificate when its files change. Default true. */
  readonly watch?: boolean;
}

const names = ["cert", "key", "ca"] as const;
/** A certificate and its key are seldom written in the same moment. */
const settleMs = 250;

/** Reads the certificate that a server is to start with. Rejects with an Error that says which file cannot be read. */
export async function readCertificate(options: TlsServeOptions): Promise<EngineTls> {
  const { requestClientCert, minVersion, ciphers } = options;
  return {
    ...(await readIdentity(options)),
    ...(requestClientCert !== undefined && { requestClientCert }),
    ...(minVersion !== undefined && { minVersion }),
    ...(ciphers !== undefined && { ciphers }),
  };
}

export class CertificateRenewal {
  readonly #options: TlsServeOptions;
  readonly #engine: Engine;
  readonly #unusable: (reason: string) => TlsFault;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #byHangup: boolean;
  readonly #onHangup = (): void => void this.reload();
  #watchers: FSWatcher[] = [];
  #timer: Timer | null = null;
  /** What is in use. */
  #current: TlsIdentity;

  constructor(
    options: TlsServeOptions,
    current: TlsIdentity,
    engine: Engine,
    unusable: (reason: string) => TlsFault,
    { clock, events, byHangup }: { readonly clock: Clock; readonly events: Events; readonly byHangup: boolean },
  ) {
    this.#options = options;
    this.#current = current;
    this.#engine = engine;
    this.#unusable = unusable;
    this.#clock = clock;
    this.#events = events;
    this.#byHangup = byHangup;
  }

  get part(): LifecyclePart {
    return {
      name: "certificate",
      start: () => {
        this.#judgeAge(this.#current);
        if (this.#byHangup) process.on("SIGHUP", this.#onHangup);
        if (this.#options.watch !== false) for (const folder of this.#folders()) this.#watch(folder);
      },
      stop: () => {
        process.off("SIGHUP", this.#onHangup);
        for (const watcher of this.#watchers.splice(0)) watcher.close();
        this.#timer?.cancel();
      },
    };
  }

  /** Reads the files again and uses what they hold, if it can be used. Never rejects. */
  async reload(): Promise<Result<null, TlsFault>> {
    let identity: TlsIdentity;
    try {
      identity = await readIdentity(this.#options);
    } catch (error) {
      return this.#refuse(this.#unusable((error as Error).message));
    }
    const age = ageTrouble(identity, this.#clock.now());
    if (age !== null) return this.#refuse(this.#unusable(age));
    const renewed = this.#engine.renewTls(identity);
    if (!renewed.ok) return this.#refuse(renewed.fault);
    this.#current = identity;
    this.#events.emit("tls.renewed", { validTo: new X509Certificate(identity.cert).validTo });
    return renewed;
  }

  #refuse(fault: TlsFault): Result<null, TlsFault> {
    this.#events.emit("tls.trouble", { message: `${fault.message} The certificate in use stays.` });
    return err(fault);
  }

  #judgeAge(identity: TlsIdentity): void {
    const message = ageTrouble(identity, this.#clock.now());
    if (message !== null) this.#events.emit("tls.trouble", { message: `The TLS certificate: ${message}.` });
  }

  /** Folders, not files: a file that is replaced, or a link that is turned, is another one from then on. */
  #folders(): Set<string> {
    const paths = names.map((name) => this.#options[name]).filter((given) => given !== undefined);
    return new Set(paths.filter(isPath).map((path) => dirname(path)));
  }

  #watch(folder: string): void {
    const trouble = (error: unknown): void => {
      const message = `${folder} cannot be watched (${(error as Error).message}): SIGHUP or reloadTls() will read the certificate again.`;
      this.#events.emit("tls.trouble", { message });
    };
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#changed());
      watcher.on("error", trouble);
      this.#watchers.push(watcher);
    } catch (error) {
      trouble(error);
    }
  }

  #changed(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(settleMs, () => void this.#reloadIfNew());
  }

  /** Other files of the folder change too. */
  async #reloadIfNew(): Promise<void> {
    const identity = await readIdentity(this.#options).catch(() => null);
    const isSame = identity !== null && names.every((name) => String(identity[name]) === String(this.#current[name]));
    if (!isSame) void (await this.reload());
  }
}

function isPath(given: string | Uint8Array): given is string {
  return typeof given === "string" && !given.includes("-----BEGIN ");
}

async function readIdentity({ cert, key, ca, passphrase }: TlsServeOptions): Promise<TlsIdentity> {
  return {
    cert: await read("cert", cert),
    key: await read("key", key),
    ...(ca !== undefined && { ca: await read("ca", ca) }),
    ...(passphrase !== undefined && { passphrase }),
  };
}

async function read(name: string, given: string | Uint8Array): Promise<string | Uint8Array> {
  if (!isPath(given)) return given;
  try {
    return await readFile(given, "utf8");
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(`tls: the ${name} "${given}" cannot be read: ${reason}. Give the path of a file, or its PEM.`);
  }
}

/** Null: it is good now. */
function ageTrouble({ cert }: TlsIdentity, now: number): string | null {
  try {
    const { validFrom, validTo } = new X509Certificate(cert);
    if (now >= Date.parse(validTo)) return `it expired on ${validTo}`;
    return now < Date.parse(validFrom) ? `it is not valid before ${validFrom}` : null;
  } catch (error) {
    return (error as Error).message;
  }
}
