/** A cookie as a declaration: its name, its attributes, what its value is, whether it is signed. Checked when the program starts. */
import { isPromiseLike } from "../core/index.ts";
import { compile, t, type AnySchema, type Infer, type InferInput, type StringNode } from "../schema/index.ts";
import {
  cookieSuffix,
  decodeCookieText,
  encodeCookieText,
  removeCookie,
  writeCookie,
  type CookieAttributes,
} from "./cookie-syntax.ts";

export interface CookieOptions<S extends AnySchema> extends CookieAttributes {
  /** What the value is; a cookie whose value does not fit is not there. Default: any text. */
  readonly schema?: S;
  /**
   * Carries a signature, so that its value is one that this server has set (not a secret one: it can be read). Needs
   * `cookies(…, { keys })`. Default false.
   */
  readonly signed?: boolean;
}

/** A declared cookie, of values that are written as `In` and read as `Out`. */
export interface Cookie<in In = never, out Out = unknown> {
  readonly name: string;
  readonly signed: boolean;
  /** The cookie's text to its value; undefined when it does not fit. */
  readonly read: (text: string) => Out | undefined;
  /** Throws a TypeError for a value that does not fit. */
  readonly write: (value: In) => string;
  /** Set-Cookie for a text that is cookie characters already. */
  readonly set: (text: string) => string;
  /** Set-Cookie that removes it. */
  readonly remove: string;
}

/**
 * Declares a cookie. The defaults are the safe ones: Secure, HttpOnly, SameSite=Lax, Path=/, this host alone.
 *
 * @throws TypeError for attributes that browsers would refuse, such as a `__Host-` name with a domain.
 * @example
 * const theme = cookie("theme", { schema: t.enum(["light", "dark"]), maxAge: "365d", httpOnly: false });
 */
export function cookie<S extends AnySchema = StringNode<string, string>>(
  name: string,
  options: CookieOptions<S> = {},
): Cookie<InferInput<S>, Infer<S>> {
  const suffix = cookieSuffix(name, options);
  const codec = compile<AnySchema>(options.schema ?? t.string());
  const parse = (wire: unknown): { readonly value: unknown } | undefined => {
    const parsed = codec.parse(wire);
    if (isPromiseLike(parsed)) throw new TypeError(`cookie("${name}"): its schema validates asynchronously.`);
    return parsed.ok ? parsed : undefined;
  };
  const declared: Cookie<unknown, unknown> = {
    name,
    signed: options.signed === true,
    read(text) {
      const plain = decodeCookieText(text);
      if (plain === undefined) return undefined;
      const json = asJson(plain);
      return ((json === undefined ? undefined : parse(json.value)) ?? parse(plain))?.value;
    },
    write(value) {
      const encoded = codec.encode(value);
      if (!encoded.ok) throw new TypeError(`cookie("${name}"): the value does not fit: ${encoded.fault.message}`);
      return encodeCookieText(asText(encoded.value));
    },
    set: (text) => writeCookie(name, text, suffix),
    remove: removeCookie(name, suffix),
  };
  // The codec is the schema's, which gives the types.
  return Object.freeze(declared) as Cookie<InferInput<S>, Infer<S>>;
}

/** A text stands as it is, so that scripts and other servers can read it, unless it could be taken for something else in JSON. */
function asText(wire: unknown): string {
  return typeof wire === "string" && asJson(wire) === undefined ? wire : JSON.stringify(wire);
}

function asJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
