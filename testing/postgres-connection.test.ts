/** The connection of the PostgreSQL store and its migrations, against every server that is here. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Connection } from "../src/postgres/connection.ts";
import { postgres } from "../src/postgres/index.ts";
import { migrate } from "../src/postgres/migrations.ts";
import { Unreachable } from "../src/postgres/trouble.ts";
import { postgresKinds, postgresServer, startPostgres } from "./postgres-server.ts";

for (const kind of postgresKinds()) {
  describe(`a connection to PostgreSQL (${kind})`, () => {
    test("many processes may migrate the same empty database at once", async () => {
      const server = await postgresServer(kind);
      const url = await server.database();
      const all = Array.from({ length: 6 }, (_, i) => connect(url, i % 2 === 0 ? "tensile" : "other"));
      await Promise.all(all.map((connection, i) => migrate(connection, i % 2 === 0 ? "tensile" : "other")));
      for (const connection of all) {
        const [row] = await connection.run<{ now: number }>("SELECT tensile.now() AS now");
        assert.ok(Number.isSafeInteger(row?.now));
        await connection.close();
      }
      await server.drop(url);
    });

    test("a migration that was changed, or that is newer than the program, is said so", async () => {
      const server = await postgresServer(kind);
      const url = await server.database();
      const connection = connect(url);
      await migrate(connection, "tensile");
      await connection.run(
        "INSERT INTO tensile.migration (number, hash) SELECT max(number) + 1, 'x' FROM tensile.migration",
      );
      await assert.rejects(migrate(connection, "tensile"), /Run the newer program/);
      await connection.run("DELETE FROM tensile.migration WHERE hash = 'x'");
      await connection.run("UPDATE tensile.migration SET hash = 'y' WHERE number = 1");
      await assert.rejects(migrate(connection, "tensile"), /Migration 1 of Tensile was changed/);
      await connection.close();
      await server.drop(url);
    });

    test("a wrong password, none, and a missing database are said with what to do, and never shown", async () => {
      const server = await postgresServer(kind);
      await server.run("CREATE ROLE guarded LOGIN PASSWORD 'right'");
      const rules = join(server.folder, "data", "pg_hba.conf");
      writeFileSync(rules, `host all guarded 127.0.0.1/32 scram-sha-256\n${readFileSync(rules, "utf8")}`);
      await server.run("SELECT pg_reload_conf()");
      const as = (user: string): string => server.url().replace("tensile@", `${user}@`);
      for (const user of ["guarded:s3cret", "guarded"])
        assert.match(await refusal(as(user)), /127\.0\.0\.1:\d+\/postgres: mend the user and the password/);
      assert.doesNotMatch(await refusal(as("guarded:s3cret")), /s3cret/);
      assert.match(await refusal(server.url("nowhere")), /create the database, or name another/);
    });

    test("a connection that answers nothing for too long is broken, with all that is under way on it", async () => {
      const server = await postgresServer(kind);
      const target = { url: server.url() };
      const connection = new Connection({ target, name: "test", schema: "tensile", pooled: false, statementMs: 200 });
      const inTime = await connection.run<{ n: number }>("SELECT 1 AS n");
      assert.deepEqual(inTime, [{ n: 1 }]);
      const waiting = [connection.run("SELECT pg_sleep(20)"), connection.run("SELECT 2 AS n")];
      for (const one of await Promise.allSettled(waiting)) {
        assert.equal(one.status, "rejected");
        assert.ok(one.reason instanceof Unreachable);
        assert.match(one.reason.message, /did not answer in time/);
      }
      assert.deepEqual(await connection.run("SELECT 3 AS n"), [{ n: 3 }]);
      await connection.close();
    });

    test("statements sent together are one transaction, and one that fails undoes all", async () => {
      const server = await postgresServer(kind);
      const connection = connect(server.url());
      await connection.run("CREATE TEMP TABLE t (n int PRIMARY KEY)");
      const [, read] = await connection.together([
        { text: "INSERT INTO t VALUES ($1), ($2)", values: [1, 2] },
        { text: "SELECT n FROM t ORDER BY n" },
      ]);
      assert.deepEqual(read, [{ n: 1 }, { n: 2 }]);
      await assert.rejects(
        connection.together([{ text: "INSERT INTO t VALUES (3)" }, { text: "INSERT INTO t VALUES (1)" }]),
        /duplicate key/,
      );
      assert.deepEqual(await connection.run("SELECT count(*)::int AS n FROM t"), [{ n: 2 }]);
      await connection.close();
    });

    test("a backend that is ended breaks what is under way, and the next statement connects again", async () => {
      const server = await postgresServer(kind);
      const broken: string[] = [];
      const connection = connect(server.url(), "tensile", broken);
      const [self] = await connection.run<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const waiting = Promise.allSettled([connection.run("SELECT pg_sleep(20)"), connection.run("SELECT 1")]);
      await server.run(`SELECT pg_terminate_backend(${self?.pid})`);
      for (const outcome of await waiting) {
        assert.equal(outcome.status, "rejected");
        assert.ok(outcome.status === "rejected" && outcome.reason instanceof Unreachable);
      }
      assert.equal(broken.length, 1);
      const [next] = await connection.run<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      assert.notEqual(next?.pid, self?.pid);
      await connection.close();
    });

    test("while the server is down every statement is refused with the reason, and it goes on when it is back", async () => {
      const server = await startPostgres(kind);
      const connection = connect(server.url());
      await connection.run("SELECT 1");
      await server.halt("immediate");
      await assert.rejects(connection.run("SELECT 1"), Unreachable);
      await assert.rejects(connection.run("SELECT 1"), Unreachable);
      await server.start();
      for (;;) {
        const done = await connection.run("SELECT 1").then(
          () => true,
          (error: unknown) => {
            assert.ok(error instanceof Unreachable);
            return false;
          },
        );
        if (done) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await connection.close();
      await server.remove();
    });
  });
}

function connect(url: string, schema = "tensile", broken: string[] = []): Connection {
  return new Connection({
    target: { url },
    name: "test",
    schema,
    pooled: false,
    onBroken: (reason) => void broken.push(reason),
  });
}

test("a server that is not there, and an address that is none, are said with what to do", async () => {
  assert.match(await refusal("postgres://app:s3cret@127.0.0.1:1/x"), /at 127\.0\.0\.1:1\/x: nothing listens there/);
  assert.match(await refusal("postgres://app@/x?host=/nowhere"), /at \/nowhere:5432\/x: there is no socket/);
  assert.throws(() => postgres("postgres://app:s#cret@host/x"), /no URL.+encodeURIComponent/);
  assert.throws(() => postgres("postgres://app@host/x", { leaseMs: 5 }), /from 1,000 to 600,000/);
  assert.throws(() => postgres("postgres://app@host:99999/x"), /a port is a number up to 65535/);
  assert.throws(() => postgres("mysql://host/x"), /takes an address such as postgres:\/\//);
  assert.throws(() => postgres(undefined as never), /takes an address such as/);
});

async function refusal(url: string): Promise<string> {
  const found = await postgres(url).inspect();
  return found.ok ? assert.fail(`${url} was let in`) : String(found.fault.data["reason" as never]);
}
