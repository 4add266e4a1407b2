/** What a newcomer reads first: where everything is, and lines to paste. A test runs every one of them. */
export interface Welcome {
  readonly url: string;
  readonly database: string;
  /** As it may be shown: a key that was chosen is named, not printed. */
  readonly key: string;
  /** The key was made up for this run. */
  readonly madeUp: boolean;
}

export function welcome({ url, database, key, madeUp }: Welcome): string {
  return `
Atlas, the cities of the world: an API and its workers, in one process.

  API       ${url}
  Docs      ${url}/docs
  OpenAPI   ${url}/openapi.json
  Database  ${database}
  Key       ${key}${madeUp ? "  (for this run; set ATLAS_API_KEY to choose one)" : ""}

Try, in another terminal:

${curlLines(url, key)
  .map((line) => `  ${line}`)
  .join("\n")}

Ctrl-C stops: it finishes what is running first. A second Ctrl-C does not.
`;
}

/** One for every route. */
export function curlLines(url: string, key: string): string[] {
  const holder = `-H "authorization: Bearer ${key}"`;
  return [
    `curl '${url}/imports/latest'`,
    `curl '${url}/cities/2267057'`,
    `curl '${url}/cities?prefix=zur&limit=3'`,
    `curl '${url}/cities/nearby?lat=38.72&lon=-9.14&km=20&limit=5'`,
    `curl '${url}/countries/PT'`,
    `curl '${url}/countries'`,
    `curl -X POST '${url}/imports' ${holder} -H 'content-type: application/json' -d '{"note":"again"}'`,
    `curl '${url}/imports/1' ${holder}`,
    `curl '${url}/audit' ${holder}`,
  ];
}
