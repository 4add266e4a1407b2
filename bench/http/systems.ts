/** The systems of the `http` benchmark: how each is started and which version it is. */
import { fileURLToPath } from "node:url";
import { useBuiltPackage } from "../built.ts";
import { tensileVersion } from "../environment.ts";
import { axumVersion, buildAxum } from "../axum.ts";
import { bunProgram, peerVersion, withoutBun, withoutUws } from "../peers.ts";

export interface System {
  readonly name: string;
  readonly file: string;
  /** Whether it takes packages of bench/peers. */
  readonly peer: boolean;
  /** What runs the file; absent: this Node. Empty: the file is a program itself. */
  readonly runtime?: readonly string[];
  version(): string;
  /** Makes it ready to run, and says in a sentence why not where it cannot be had: it is then left out. */
  readonly without?: (say: (line: string) => void) => string | undefined;
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const systems: readonly System[] = [
  {
    name: "tensile",
    file: file("./tensile.ts"),
    peer: false,
    version: tensileVersion,
    without: useBuiltPackage,
  },
  {
    name: "net-floor",
    file: file("../peers/http/net-floor.js"),
    peer: true,
    version: () => `bare node:net ${process.version.slice(1)}, no server`,
  },
  {
    name: "node",
    file: file("../peers/http/node.js"),
    peer: true,
    version: () => `node:http ${process.version.slice(1)} + Ajv ${peerVersion("ajv")}`,
  },
  { name: "fastify", file: file("../peers/http/fastify.js"), peer: true, version: () => peerVersion("fastify") },
  {
    name: "hono",
    file: file("../peers/http/hono.js"),
    peer: true,
    version: () => `${peerVersion("hono")} + Zod ${peerVersion("zod")}`,
  },
  {
    name: "express",
    file: file("../peers/http/express.js"),
    peer: true,
    version: () => `${peerVersion("express")} + Ajv ${peerVersion("ajv")}`,
  },
  {
    name: "uws",
    file: file("../peers/http/uws.js"),
    peer: true,
    version: () => `uWebSockets.js ${peerVersion("@uwsjs/core")} + Ajv ${peerVersion("ajv")}`,
    without: withoutUws,
  },
  {
    name: "bun",
    file: file("../peers/http/bun.js"),
    peer: true,
    runtime: [bunProgram],
    version: () => `${peerVersion("bun")} + Ajv ${peerVersion("ajv")}`,
    without: withoutBun,
  },
  {
    name: "elysia",
    file: file("../peers/http/elysia.js"),
    peer: true,
    runtime: [bunProgram],
    version: () => `${peerVersion("elysia")} on Bun ${peerVersion("bun")}`,
    without: withoutBun,
  },
  {
    name: "axum",
    file: file("../peers/axum/target/release/tensile-bench-axum"),
    peer: false,
    runtime: [],
    version: axumVersion,
    without: buildAxum,
  },
];
