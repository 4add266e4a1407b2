/** Floor 2: `tensile/formats`. What an app may speak beside JSON. */
export { messagePack } from "./message-pack.ts";
export { cbor } from "./cbor.ts";
export { form } from "./form.ts";
// Named so that a module that exports formats can have declarations.
export type { BinaryFormat, FormFormat, Format } from "../schema/index.ts";
