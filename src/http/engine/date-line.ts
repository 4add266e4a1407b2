/** The Date header line, made once per second at most, and only when an answer asks for it: no timer (LAW: no invisible work). */
import type { Clock } from "../../core/index.ts";

export class DateLine {
  readonly #clock: Clock;
  #line = "";
  #from = 0;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Without the name and the end of the line. */
  value(): string {
    return this.text().slice(6, -2);
  }

  /** `date: Sun, 06 Nov 1994 08:49:37 GMT\r\n` */
  text(): string {
    const now = this.#clock.now();
    // Wall time may be set back, so the line has a first moment too.
    if (now >= this.#until || now < this.#from) {
      this.#from = now - (now % 1000);
      this.#until = this.#from + 1000;
      this.#line = `date: ${new Date(now).toUTCString()}\r\n`;
    }
    return this.#line;
  }
}
