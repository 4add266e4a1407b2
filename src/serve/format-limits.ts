/** Every limit in force as text, for the log of a start or whoever is on call. */

type Table = { readonly [limit: string]: unknown };

/**
 * One line for each limit, by table: `http.connections  10000`. A list shows how long it is.
 *
 * @example
 * const app = implement(contract("demo.v1", {}), { handlers: {} });
 * const server = await serve(app, { port: 0 });
 * console.log(formatLimits(server.limits));
 */
export function formatLimits(limits: object): string {
  const rows: (readonly [name: string, value: string])[] = [];
  for (const [table, values] of Object.entries(limits as { readonly [table: string]: Table | undefined })) {
    for (const [limit, value] of Object.entries(values ?? {})) rows.push([`${table}.${limit}`, String(value)]);
  }
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}
