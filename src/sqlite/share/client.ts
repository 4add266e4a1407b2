/** One process of a shared file, as the writer knows it: what it calls the names, and how much it wants of each. */
import { must } from "../must.ts";
import type { CommitReply, Notice } from "../protocol.ts";

/** How a guest is reached. */
export interface GuestPort {
  committed(reply: CommitReply): void;
  notice(notice: Notice): void;
}

export class Client {
  /** Undefined: the calling thread of the owner itself. */
  readonly port: GuestPort | undefined;
  /** Its names by its own numbers. */
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** Credit that it has granted and not yet got jobs for, by name. */
  readonly credit = new Map<string, number>();

  constructor(port?: GuestPort) {
    this.port = port;
  }

  tell(from: number, names: readonly string[]): void {
    names.forEach((name, index) => {
      this.names[from + index] = name;
      this.#numbers.set(name, from + index);
    });
  }

  numberOf(name: string): number {
    return must(this.#numbers.get(name));
  }

  has(name: string): boolean {
    return this.#numbers.has(name);
  }

  grant(number: number, credit: number): void {
    const name = must(this.names[number]);
    this.credit.set(name, (this.credit.get(name) ?? 0) + credit);
  }

  take(name: string, jobs: number): void {
    this.credit.set(name, (this.credit.get(name) ?? 0) - jobs);
  }
}
