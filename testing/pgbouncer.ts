/** The machine's PgBouncer in transaction mode before a server of the tests: every transaction on whichever of two backends is free. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import { freePort, otherUser, type PostgresServer } from "./postgres-server.ts";

export interface Pooler {
  /** The address of the same database, by the pooler. */
  url(direct: string): string;
  remove(): Promise<void>;
}

/** Undefined: there is no PgBouncer here. */
export function pgbouncerVersion(): string | undefined {
  const said = spawnSync("pgbouncer", ["--version"], { encoding: "utf8" });
  return said.status === 0 ? said.stdout.split("\n")[0] : undefined;
}

export async function startPgbouncer(server: PostgresServer): Promise<Pooler> {
  const identity = otherUser();
  const folder = mkdtempSync(join(tmpdir(), "tensile-pgbouncer-"));
  const port = await freePort();
  const settings = [
    "[databases]",
    `* = host=127.0.0.1 port=${server.port}`,
    "[pgbouncer]",
    ...["listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "auth_type = trust"],
    `auth_file = ${join(folder, "users.txt")}`,
    // Nothing of a session is kept: no prepared statements (the default of newer versions), and two backends for all clients.
    ...["pool_mode = transaction", "max_prepared_statements = 0", "default_pool_size = 2", "max_client_conn = 50"],
  ];
  // Versions before 1.21 do not know the setting, and keep no prepared statements anyway.
  const known = settings.filter((line) => !line.startsWith("max_prepared") || knowsPrepared());
  writeFileSync(join(folder, "pgbouncer.ini"), known.join("\n"));
  writeFileSync(join(folder, "users.txt"), '"tensile" ""\n');
  chmodSync(folder, 0o755);
  if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid ?? identity.uid);
  const child = spawn("pgbouncer", [join(folder, "pgbouncer.ini")], { ...identity, stdio: "ignore" });
  const url = (direct: string): string => `postgres://tensile@127.0.0.1:${port}/${basename(new URL(direct).pathname)}`;
  for (let tries = 0; !(await answers(url(server.url()))); tries++) {
    if (tries === 100 || child.exitCode !== null) throw new Error("PgBouncer does not answer.");
    await wait(50);
  }
  return {
    url,
    async remove() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function knowsPrepared(): boolean {
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(pgbouncerVersion() ?? "") ?? [];
  return Number(major) * 100 + Number(minor) >= 121;
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.query("SELECT 1");
    await client.end();
    return true;
  } catch {
    return false;
  }
}
