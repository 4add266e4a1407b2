/** What the libraries of binary formats have in common: how they are loaded, and what stands around their decoding. */
import { Err, Ok, type Result } from "../core/index.ts";
import { Invalid, repeatedKey, rootIssue, type BinaryLibrary } from "../schema/index.ts";

/** What a look at the bytes found: what is wrong with them, or how many keys their maps have. */
export type Scan = string | number;

/**
 * Looked at before a library decodes: announced lengths must lie within the bytes (a library may reserve memory for a length as it
 * reads it, so that 5 bytes cost megabytes), nesting is bounded, texts are UTF-8, and there is nothing that JSON does not have.
 */
export function guarded(
  name: string,
  scan: (bytes: Uint8Array) => Scan,
  library: { decode(bytes: Uint8Array): unknown; encode(wire: unknown): Uint8Array },
): BinaryLibrary {
  return {
    decode(bytes) {
      const found = scan(bytes);
      if (typeof found === "string") return notValid(name, found);
      try {
        const value = library.decode(bytes);
        return countKeys(value) === found ? new Ok(value) : repeatedKey();
      } catch {
        return notValid(name, "its library refuses it");
      }
    },
    encode: (wire) => library.encode(wire),
  };
}

function notValid(name: string, reason: string): Result<never, Invalid> {
  return new Err(new Invalid([rootIssue("encoding", `is not valid ${name}: ${reason}`)]));
}

/** How many keys the maps inside a value have in all. Keeps its own stack, since the value may be deep. */
function countKeys(value: unknown): number {
  let keys = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== "object" || next === null || next instanceof Uint8Array) continue;
    const members: unknown[] = Object.values(next);
    if (!Array.isArray(next)) keys += members.length;
    for (const member of members) if (typeof member === "object" && member !== null) open.push(member);
  }
  return keys;
}

/** Loads an optional peer by `load`; says what to install when it is not there. */
export async function loadPeer<T>(feature: string, packageName: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new TypeError(`${feature} needs the package "${packageName}": npm install ${packageName}`, { cause });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) {
    if ((bytes[i] as number) < 128) continue;
    try {
      utf8.decode(bytes.subarray(i, to));
      return true;
    } catch {
      return false;
    }
  }
  return true;
}

/** Containers inside each other, far above what a schema takes: libraries that recurse must not run out of stack. */
const deepest = 512;
const tooDeep = `it is nested more than ${deepest} levels deep`;
export const endsEarly = "it ends too early";
export const tooLong = "a length goes beyond its end";
export const keyNoText = "a key is no text";
export const notUtf8 = "a text is not UTF-8";
export const bytesFollow = "more follows after the value";

/** The containers that are open at one place, and how many members of each are still to come. */
export class OpenContainers {
  keys = 0;
  readonly #left: number[] = [1];
  readonly #isMap: boolean[] = [false];

  /** Whether another value is to come, after closing what is complete. */
  isOpen(): boolean {
    const left = this.#left;
    while (left.length > 0 && left.at(-1) === 0) {
      left.pop();
      this.#isMap.pop();
    }
    return left.length > 0;
  }

  /** One more value begins. True: it is a key. */
  begin(): boolean {
    const at = this.#left.length - 1;
    const left = this.#left[at] as number;
    this.#left[at] = left - 1;
    return this.#isMap[at] === true && left % 2 === 0;
  }

  /** A container of so many items or entries; `room`: bytes that follow, of which each member takes one at least. */
  push(count: number, isMap: boolean, room: number): string | undefined {
    const members = isMap ? count * 2 : count;
    if (members > room) return tooLong;
    if (this.#left.length > deepest) return tooDeep;
    if (isMap) this.keys += count;
    this.#left.push(members);
    this.#isMap.push(isMap);
    return undefined;
  }
}
