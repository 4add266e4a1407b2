/** Tensile's log entries as pino writes them: its levels, its time, its `err`; the event is the message. */
import type { Log } from "../serve/index.ts";

/** What is needed of a pino logger; any other with the same methods will do. */
export interface PinoLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * A log for `serve` and `work` that goes to pino. Entries hold no bodies, no raw queries and no header that was not chosen; what
 * looks like a secret in an error's text is cut out before it comes here. A logger that throws loses that entry alone.
 *
 * @example
 * import { pino } from "pino";
 * import { pinoLog } from "tensile/pino";
 *
 * const ping = query("ping", { access: "public", input: {}, output: {} });
 * const app = implement(contract("demo.v1", { ping }), { handlers: { ping: () => ({}) } });
 * await serve(app, { log: pinoLog(pino({ level: "info" })), accessLog: true });
 */
export function pinoLog(logger: PinoLogger): Log {
  return ({ level, error, stack, ...entry }) => {
    // pino leaves out what is undefined, and writes a time of its own.
    const fields = { ...entry, time: undefined };
    const described = typeof error === "string" ? { ...fields, err: errorOf(error, stack) } : fields;
    try {
      logger[level](described, fields.event);
    } catch {
      // Nobody is left to be told.
    }
  };
}

/** As pino's own serializer writes an Error. Without a prototype, because that serializer would name an object by its constructor. */
function errorOf(text: string, stack: unknown): object {
  const [, type = "Error", message = text] = /^(\w+): ([\s\S]*)$/.exec(text) ?? [];
  const written = { type, message, ...(typeof stack === "string" && { stack }) };
  return Object.assign(Object.create(null) as object, written);
}
