/** The typed client, run by a runtime against the server whose URL it is given. Prints what it got. */
import { createClient } from "tensile/client";
import { cities } from "./app.js";

const url = globalThis.Deno === undefined ? process.argv[2] : Deno.args[0];
const client = createClient(cities, { url });
const found = await client.getCity({ id: 1 });
const missing = await client.getCity({ id: 2 });
console.log(JSON.stringify([found.ok && found.value, !missing.ok && missing.fault.code]));
