/** Random schemas and values for property tests on other floors: the schema floor keeps them out of its face, since they need fast-check. */
export { anyCodePoint, arbitrarySchema, arbitraryValue } from "../src/schema/testing/arbitrary.ts";
