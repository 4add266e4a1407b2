/**
 * LISTEN, on a connection of its own, where it is to be had: behind a pooler in transaction mode a notification never arrives, which shows by the
 * missing echo of one's own. Without it the session polls; with it it polls as well, seldom, since a notification may get lost with a connection.
 */
import { randomUUID } from "node:crypto";
import type { Clock, Timer } from "../core/index.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { postgresLimits as limits } from "./limits.ts";

export interface HearingEvents {
  /** Somebody has enqueued, or something else is to be looked at. */
  readonly onCall: () => void;
}

export class Hearing {
  readonly #clock: Clock;
  readonly #events: HearingEvents;
  readonly #connection: Connection;
  readonly #channel: string;
  /** What this process's own calls say: it knows already. */
  readonly word = randomUUID();
  #works = false;
  #expected = "";
  #closed = false;
  #retry: Timer | undefined;

  constructor(options: Omit<ConnectionOptions, "onConnected" | "onBroken">, clock: Clock, events: HearingEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#channel = channelOf(options.schema);
    this.#connection = new Connection({
      ...options,
      onConnected: async (client) => {
        client.on("notification", ({ payload = "" }) => this.#hear(payload));
        await client.query({ text: `LISTEN "${this.#channel}"`, query_timeout: limits.statementMs });
      },
      onBroken: () => {
        this.#works = false;
        this.#again();
      },
    });
  }

  /** Whether notifications arrive. */
  get works(): boolean {
    return this.#works;
  }

  start(): void {
    void this.#listen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await this.#connection.close();
  }

  async #listen(): Promise<void> {
    try {
      const echo = `echo ${randomUUID()}`;
      this.#expected = echo;
      await this.#connection.run("SELECT pg_notify($1, $2)", [this.#channel, echo]);
    } catch {
      this.#again();
    }
  }

  #hear(payload: string): void {
    if (payload === this.#expected) {
      this.#works = true;
      // What was enqueued while nobody listened.
      this.#events.onCall();
    } else if (!payload.startsWith("echo ") && payload !== this.word) this.#events.onCall();
  }

  #again(): void {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimer(limits.echoMs, () => void this.#listen());
  }
}

/** The channel that the processes of one schema call each other on. */
export function channelOf(schema: string): string {
  return schema === "tensile" ? "tensile" : `tensile_${schema}`.slice(0, 63);
}
