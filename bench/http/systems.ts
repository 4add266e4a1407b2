/** The systems of the `http` benchmark: how each is started and which version it is. */
import { fileURLToPath } from "node:url";
import { tensileVersion } from "../environment.ts";
import { peerVersion } from "../peers.ts";

export interface System {
  readonly name: string;
  readonly file: string;
  /** Whether it takes packages of bench/peers. */
  readonly peer: boolean;
  version(): string;
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const systems: readonly System[] = [
  { name: "tensile", file: file("./tensile.ts"), peer: false, version: tensileVersion },
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
];
