/** One known way to make two HTTP readers disagree, with the engine's verdict and where it comes from. */
export interface Vector {
  readonly name: string;
  readonly source: string;
  /** The whole input, Latin-1. */
  readonly input: string;
  /** Requests whose body the engine reads to the end. */
  readonly accepted: number;
  /** The refusal that follows, or null. */
  readonly status: number | null;
}

type Row = readonly [name: string, source: string, input: string, accepted: number, status: number | null];

export const get = "GET / HTTP/1.1\r\nHost: a\r\n";
export const post = "POST / HTTP/1.1\r\nHost: a\r\n";
export const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`;
export const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

export function rows(table: readonly Row[]): readonly Vector[] {
  return table.map(([name, source, input, accepted, status]) => ({ name, source, input, accepted, status }));
}
