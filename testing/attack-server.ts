/** The server of attacks.test.ts, in a process of its own so that its memory can be told from its attackers'. */
import { contract, implement, mutation, query, serve, t } from "../src/index.ts";

const done = t.object("Done", { ok: t.boolean() });
const open = { access: "public", input: {}, output: done } as const;
const ping = query("ping", open);
const large = query("large", { access: "public", input: {}, output: t.object("Large", { text: t.string() }) });
const upload = mutation("upload", {
  access: "public",
  input: { text: t.string({ maxLength: 1_000_000 }) },
  output: done,
});
const throws = query("throws", open);
const rejects = query("rejects", open);
const never = query("never", { ...open, timeout: "200ms" });
const wrong = query("wrong", open);
const nothing = query("nothing", open);
const blocks = query("blocks", open);
const throwsOdd = query("throwsOdd", open);

const text = "x".repeat(200_000);
const app = implement(
  contract("attacked.v1", { ping, large, upload, throws, rejects, never, wrong, nothing, blocks, throwsOdd }),
  {
    handlers: {
      ping: () => ({ ok: true }),
      large: () => ({ text }),
      upload: () => ({ ok: true }),
      throws: () => {
        throw new Error("a secret");
      },
      rejects: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Error("a late secret");
      },
      never: () => new Promise<never>(() => undefined),
      wrong: () => ({ ok: "yes" }) as never,
      nothing: () => undefined as never,
      blocks: () => {
        const end = performance.now() + 300;
        while (performance.now() < end);
        return { ok: true };
      },
      throwsOdd: () => {
        // What is thrown need not be an Error, nor have a text.
        throw Object.create(null) as Error;
      },
    },
  },
);
const incidents: string[] = [];
const server = await serve(app, {
  port: 0,
  signals: [],
  log: (entry) => void (entry.event === "defect" && incidents.push(String(entry["incident"]))),
  limits: {
    http: {
      connections: 4_000,
      headTimeoutMs: 1_000,
      bodyIdleTimeoutMs: 1_000,
      bodyTimeoutMs: 2_000,
      keepAliveMs: 2_000,
      writeStallMs: 1_000,
    },
  },
});
process.on("message", () => process.send?.({ rss: process.memoryUsage.rss(), incidents, phase: server.phase }));
process.on("disconnect", () => process.exit(0));
process.send?.({ port: server.port });
