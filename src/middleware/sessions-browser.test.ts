/** Signing in and out in a real browser: what it does with the cookie is the browser's to say, not ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inBrowser } from "../../tools/browser.ts";
import { contract, implement, mutation, ok, query, serve, t } from "../index.ts";
import { HeaderBlock, type HttpResponse } from "../exchange/index.ts";
import { csrf, memoryKv, sessions } from "./index.ts";

const signIn = mutation("signIn", { access: "public", input: { name: t.string() }, output: t.nothing() });
const signOut = mutation("signOut", { access: "public", input: {}, output: t.nothing() });
const whoAmI = query("whoAmI", { access: "authenticated", input: {}, output: { subject: t.string() } });

test("a browser signs in, stays signed in, hides its cookie from scripts, and signs out", async (context) => {
  const web = sessions({ store: memoryKv() });
  const app = implement(contract("web.v1", { signIn, signOut, whoAmI }), {
    authenticate: web.authenticate,
    middleware: [csrf(), web.middleware],
    handlers: {
      signIn: async function* ({ input, session }) {
        yield* await session.signIn({ subject: input.name });
        return ok();
      },
      signOut: ({ session }) => session.signOut(),
      whoAmI: ({ auth }) => ({ subject: auth.subject }),
    },
  });
  const html: HttpResponse = { status: 200, headers: new HeaderBlock(["content-type", "text/html"]), body: "<p>" };
  const routes = [{ method: "GET", path: "/page", handle: () => html }];
  const server = await serve(app, { port: 0, signals: [], log: false, routes });
  context.after(() => server.stop());
  await inBrowser(context, async (page) => {
    // Browsers keep Secure cookies of this machine without TLS.
    const url = server.url.replace("127.0.0.1", "localhost");
    const send = (path: string, body: object): Promise<number> =>
      page.evaluate(
        async ([to, text]) =>
          (await fetch(to, { method: "POST", body: text, headers: { "content-type": "application/json" } })).status,
        [path, JSON.stringify(body)] as const,
      );
    const who = (): Promise<unknown> =>
      page.evaluate(async () => {
        const answer = await fetch("/whoAmI");
        return answer.ok ? ((await answer.json()) as { subject: string }).subject : answer.status;
      });
    await page.goto(`${url}/page`);
    assert.equal(await who(), 401);
    assert.equal(await send("/signIn", { name: "ann" }), 204);
    assert.equal(await who(), "ann");
    assert.equal(await page.evaluate(() => document.cookie), "");
    await page.reload();
    assert.equal(await who(), "ann");
    const cookies = await page.context().cookies();
    assert.deepEqual(
      cookies.map(({ name, httpOnly, secure, sameSite, path }) => ({ name, httpOnly, secure, sameSite, path })),
      [{ name: "__Host-session", httpOnly: true, secure: true, sameSite: "Lax", path: "/" }],
    );
    assert.equal(await send("/signOut", {}), 204);
    assert.deepEqual(await page.context().cookies(), []);
    assert.equal(await who(), 401);
  });
});
