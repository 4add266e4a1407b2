/**
 * A board of messages that every reader follows live, in a terminal, in a browser and in a program.
 * `npx node examples/live/main.ts`
 */
import { contract, event, fault, implement, mutation, serve, subscription, t } from "tensile";
import { createClient } from "tensile/client";
import { Board } from "./board.ts";

const Message = t.object("Message", { id: t.int(), from: t.string({ maxLength: 40 }), text: t.string() });

/** The client was away for so long that what it has missed is kept no more. */
const Missed = fault("MISSED", { kind: "gone", data: { oldest: t.int() } });

const post = mutation("post", {
  access: "public",
  http: "POST /messages",
  input: { from: t.string({ minLength: 1, maxLength: 40 }), text: t.string({ minLength: 1, maxLength: 1000 }) },
  output: Message,
});

const follow = subscription("follow", {
  access: "public",
  http: "GET /messages",
  input: { only: t.optional(t.string({ maxLength: 40 })) },
  output: Message,
  faults: [Missed],
  resume: true,
});

const live = contract("live.v1", { post, follow });
const board = new Board(100);

const app = implement(live, {
  handlers: {
    post: ({ input }) => board.post(input.from, input.text),
    follow: async function* ({ input, lastEventId, signal }) {
      // Who comes for the first time hears what is said from now on.
      let seen = lastEventId === undefined ? board.last : Number(lastEventId);
      while (!signal.aborted) {
        const messages = board.after(seen);
        if (messages === undefined) return Missed({ oldest: board.last - 99 });
        for (const message of messages) {
          seen = message.id;
          if (input.only === undefined || input.only === message.from) yield event(message, { id: String(message.id) });
        }
        await board.changed(seen, signal);
      }
      return undefined;
    },
  },
});

const server = await serve(app, { port: Number(process.env["PORT"] ?? 3000), webSocket: true });
console.log(`curl -N ${server.url}/messages`);
console.log(`curl ${server.url}/messages --json '{"from":"Ada","text":"Hello"}'`);

// A program that follows the board is a loop. This one ends with the server; another would come back to the next one by itself.
const stop = new AbortController();
void server.stopped.then(() => stop.abort());
for await (const message of createClient(live, { url: server.url }).follow({}, { signal: stop.signal })) {
  if (message.ok) console.log(`${message.value.from}: ${message.value.text}`);
  else if (message.fault.code === "MISSED") console.log(`What was said before ${message.fault.data.oldest} is gone.`);
}
