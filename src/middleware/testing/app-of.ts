/** A small app behind an authenticator, for tests: who am I, and what was refused why. */
import {
  contract,
  implement,
  query,
  serve,
  t,
  type Authenticate,
  type Middleware,
  type Principal,
  type Server,
} from "../../index.ts";

const Who = t.object({ subject: t.string(), scopes: t.array(t.string()) });
const whoAmI = query("whoAmI", { access: "authenticated", input: {}, output: Who });
const anyone = query("anyone", { access: "public", input: {}, output: { subject: t.string() } });
const people = contract("people.v1", { whoAmI, anyone });

export interface Bench {
  readonly server: Server;
  /** Reasons of the `auth.refused` events. */
  readonly reasons: string[];
  ask(headers: Record<string, string>, path?: string): Promise<Asked>;
}

export interface Asked {
  readonly status: number;
  readonly challenge: string | null;
  readonly body: { readonly [field: string]: unknown };
  readonly headers: Headers;
}

export async function withApp(
  authenticate: Authenticate<Principal>,
  body: (bench: Bench) => Promise<void>,
  middleware: readonly Middleware[] = [],
): Promise<void> {
  const app = implement(people, {
    authenticate,
    middleware,
    handlers: {
      whoAmI: ({ auth }) => ({ subject: auth.subject, scopes: [...(auth.scopes ?? [])] }),
      anyone: ({ auth }) => ({ subject: auth?.subject ?? "nobody" }),
    },
  });
  const server = await serve(app, { port: 0, signals: [], log: false });
  const reasons: string[] = [];
  server.events.on("auth.refused", ({ reason }) => reasons.push(reason));
  try {
    await body({
      server,
      reasons,
      async ask(headers, path = "/whoAmI") {
        const answer = await fetch(`${server.url}${path}`, { headers });
        const challenge = answer.headers.get("www-authenticate");
        return {
          status: answer.status,
          challenge,
          body: (await answer.json()) as Asked["body"],
          headers: answer.headers,
        };
      },
    });
  } finally {
    await server.stop();
  }
}
