/**
 * The builder. Each function returns a frozen node; what it is given is checked at once, so that a mistake in a schema stops the
 * program at start with a sentence, not at the first request.
 */
import { t as containers } from "./t-containers.ts";
import { t as scalars } from "./t-scalars.ts";
import { t as wrappers } from "./t-wrappers.ts";
import { setStandardBridge } from "./make-node.ts";
import { standardOf } from "./standard.ts";

setStandardBridge(standardOf);

/**
 * @example
 * const City = t.object("City", { id: t.int32(), name: t.string({ maxLength: 200 }), founded: t.optional(t.timestamp()) });
 * type City = Infer<typeof City>; // { id: number; name: string; founded?: Date }
 */
export const t = Object.freeze({ ...scalars, ...containers, ...wrappers });
