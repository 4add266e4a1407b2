/**
 * Cookies for handlers. Signatures are checked before the handler runs and made after it, because WebCrypto answers later; what
 * lies between is synchronous.
 */
import { middleware, type Middleware } from "../contract/index.ts";
import type { Cookie } from "./cookie.ts";
import { parseCookies } from "./cookie-syntax.ts";
import { createSigner, type Signer } from "./secret.ts";

export interface CookiesOptions {
  /**
   * Keys of 32 random characters or more for signed cookies. The first signs, all are accepted: put a new one in front, and drop
   * the old one when the cookies that it signed have ended.
   */
  readonly keys?: readonly string[];
}

/** What handlers get as `cookies`. */
export interface Cookies {
  /** Its value; undefined when it is missing, does not fit its schema or carries no valid signature. Sees what was set before. */
  get<Out>(cookie: Cookie<never, Out>): Out | undefined;
  /** Throws a TypeError for a value that does not fit: a defect. */
  set<In>(cookie: Cookie<In>, value: In): void;
  delete(cookie: Cookie): void;
}

/**
 * Gives handlers `cookies`, for the ones that are named here.
 *
 * @throws TypeError when one is signed and there are no keys, or when two have one name.
 * @example
 * const theme = cookie("theme", { schema: t.enum(["light", "dark"]) });
 * const visit = cookie("__Host-visit", { signed: true });
 * const jar = cookies([theme, visit], { keys: [process.env.COOKIE_KEY ?? ""] });
 */
export function cookies(
  declared: readonly Cookie[],
  options: CookiesOptions = {},
): Middleware<{ readonly cookies: Cookies }> {
  const names = new Set(declared.map(({ name }) => name));
  if (names.size !== declared.length) throw new TypeError("cookies: two of the cookies have the same name.");
  const signed = declared.filter((one) => one.signed);
  const signer =
    options.keys === undefined && signed.length === 0
      ? undefined
      : createSigner(`cookies (${signed.map(({ name }) => name).join(", ")})`, options.keys ?? []);
  return middleware<{ readonly cookies: Cookies }, never>(async (call, next) => {
    const jar = new Jar(declared, parseCookies(call.header("cookie") ?? ""));
    if (signer !== undefined) await jar.verify(signed, signer);
    const result = await next({ cookies: jar.face });
    for (const line of await jar.changes(signer)) call.reply.append("set-cookie", line);
    return result;
  });
}

class Jar {
  readonly #declared: ReadonlySet<Cookie>;
  /** Texts of the request, those of signed cookies without their signature. */
  readonly #texts: Map<string, string>;
  /** Undefined: to be removed. */
  readonly #changed = new Map<Cookie, string | undefined>();
  readonly face: Cookies;

  constructor(declared: readonly Cookie[], texts: ReadonlyMap<string, string>) {
    this.#declared = new Set(declared);
    this.#texts = new Map(texts);
    // A plain object: methods of a class would not reach a handler that takes the jar apart.
    this.face = {
      get: (cookie) => this.#get(cookie),
      set: (cookie, value) => void this.#changed.set(this.#known(cookie), cookie.write(value)),
      delete: (cookie) => void this.#changed.set(this.#known(cookie), undefined),
    };
  }

  #get<Out>(cookie: Cookie<never, Out>): Out | undefined {
    this.#known(cookie);
    const text = this.#changed.has(cookie) ? this.#changed.get(cookie) : this.#texts.get(cookie.name);
    return text === undefined ? undefined : cookie.read(text);
  }

  #known(cookie: Cookie): Cookie {
    if (!this.#declared.has(cookie))
      throw new TypeError(`The cookie "${cookie.name}" is not among those of the middleware: cookies([…]).`);
    return cookie;
  }

  /** Takes away what has no valid signature. */
  async verify(signed: readonly Cookie[], signer: Signer): Promise<void> {
    for (const { name } of signed) {
      const text = this.#texts.get(name);
      if (text === undefined) continue;
      const dot = text.lastIndexOf(".");
      const value = text.slice(0, Math.max(0, dot));
      // The name is signed too: else the value of one cookie could be put into another.
      if (dot !== -1 && (await signer.verify(`${name}=${value}`, text.slice(dot + 1)))) this.#texts.set(name, value);
      else this.#texts.delete(name);
    }
  }

  /** The Set-Cookie lines. */
  async changes(signer: Signer | undefined): Promise<string[]> {
    const lines: string[] = [];
    for (const [cookie, text] of this.#changed) {
      if (text === undefined) lines.push(cookie.remove);
      else if (!cookie.signed || signer === undefined) lines.push(cookie.set(text));
      else lines.push(cookie.set(`${text}.${await signer.sign(`${cookie.name}=${text}`)}`));
    }
    return lines;
  }
}
