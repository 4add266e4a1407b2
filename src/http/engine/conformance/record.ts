/** What two HTTP readers are compared by: the requests they believe to have received, and how the engine's reading ended. */
export interface RequestRecord {
  readonly method: string;
  readonly target: string;
  /** Lower-case name, value, … */
  readonly headers: readonly string[];
  /** Latin-1 text of the body. */
  readonly body: string;
}

export interface EngineRecord {
  /** Requests whose body was read to the end without a fault. */
  readonly requests: readonly RequestRecord[];
  /** Everything written but `100 Continue`, as Latin-1 text. */
  readonly output: string;
  /** Whether the engine ended the connection. */
  readonly ended: boolean;
}

/** Both sides of a disagreement, or null when the engine accepted nothing that llhttp did not accept alike. */
export function disagreement(engine: EngineRecord, peer: readonly RequestRecord[]): string | null {
  for (const [i, mine] of engine.requests.entries()) {
    const theirs = peer[i];
    if (theirs === undefined) return `request ${i + 1} is accepted by the engine alone: ${JSON.stringify(mine)}`;
    const same =
      mine.method === theirs.method &&
      mine.body === theirs.body &&
      mine.target === originForm(theirs) &&
      mine.headers.length === theirs.headers.length &&
      mine.headers.every((text, at) => text === theirs.headers[at]);
    if (!same)
      return `request ${i + 1} is read differently: ${JSON.stringify(mine)} by the engine, ${JSON.stringify(theirs)} by llhttp`;
  }
  return null;
}

/** llhttp hands on an absolute target as it is; the engine gives its path (RFC 9112 section 3.2.2). */
function originForm({ method, target }: RequestRecord): string {
  const rest = /^http:\/\/[^/?]*(.*)$/is.exec(target)?.[1];
  if (rest === undefined) return target;
  if (rest === "" && method === "OPTIONS") return "*";
  return rest.startsWith("/") ? rest : `/${rest}`;
}
