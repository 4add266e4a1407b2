/** Whether a server does the whole work: every right answer byte for byte, and a refusal for every bad request. */
import { connect } from "node:net";
import { type Answer, answerReader } from "../answer-reader.ts";
import type { Case } from "./cases.ts";

/** Asks everything once. What was wrong, as sentences; empty when all was right. */
export async function verify(system: string, port: number, { name, requests, refused }: Case): Promise<string[]> {
  const wrong: string[] = [];
  const complain = (what: string): void => void wrong.push(`${system}, ${name}: ${what}`);
  for (const { text, expect } of requests) {
    const answer = await ask(port, text);
    const line = text.slice(0, text.indexOf(" HTTP"));
    if (answer === undefined) complain(`${line} was not answered`);
    else if (answer.status !== expect.status) complain(`${line} gave status ${answer.status}, not ${expect.status}`);
    else if (answer.contentType.split(";")[0] !== expect.contentType) complain(`${line} is ${answer.contentType}`);
    else if (answer.text !== expect.body) complain(`${line} gave ${answer.text} instead of ${expect.body}`);
  }
  for (const { what, text } of refused) {
    const status = (await ask(port, text))?.status ?? 0;
    if (status < 400 || status > 499) complain(`${what} was not refused: status ${status}`);
  }
  return wrong;
}

type Answered = Pick<Answer, "status" | "contentType"> & { readonly text: string };

/** One request on a connection of its own; undefined when there was no answer within five seconds. */
export function ask(port: number, text: string): Promise<Answered | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answered | undefined>();
  const reader = answerReader();
  const socket = connect(port, "127.0.0.1", () => socket.write(text));
  socket.setTimeout(5000, () => socket.destroy());
  socket.on("data", (bytes: Buffer) => {
    try {
      const answer = reader.read(bytes, bytes.length);
      if (answer === undefined) return;
      const { status, contentType } = answer;
      resolve({ status, contentType, text: answer.body().toString() });
    } catch {
      // Not an answer: the same as none.
    }
    socket.destroy();
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => resolve(undefined));
  return promise;
}
