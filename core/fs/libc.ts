/**
 * The C library: its functions bound when they are first needed, what it answers, and texts and memory as it takes
 * them. What the functions are for is in native.ts.
 *
 * - The library is opened at the first call, never at load.
 * - Texts pass through buffers allocated once. That is safe because every call is synchronous and each thread that
 *   loads this module has buffers of its own.
 * - `errno` is read directly after the call, in the same synchronous function, through the address
 *   `__errno_location` gave (measured right in two million alternating failures).
 */
import { INQUIRING, LISTING, RARE, READING, WRITING } from "./symbols.ts";

type Calls = Deno.DynamicLibrary<typeof READING>["symbols"];

const encoder = new TextEncoder();
// Longer than any path the kernel takes, so that a text cut to fit is refused by it (ENAMETOOLONG), not shortened.
export const TEXT_BYTES = 8192n;
const firstText = new Uint8Array(Number(TEXT_BYTES));
/** Where `second()` puts its text; also room for a text to be read into. */
export const secondText = new Uint8Array(Number(TEXT_BYTES));

let calls: Calls | undefined;
let errnoAddress: Deno.UnsafePointerView | undefined;

/** The functions every command needs. */
export function libc(): Calls {
  if (calls !== undefined) return calls;
  const symbols = Deno.dlopen("libc.so.6", READING).symbols;
  const address = symbols.__errno_location();
  if (address === null) throw new Error("the C library has no errno");
  errnoAddress = new Deno.UnsafePointerView(address);
  calls = symbols;
  return symbols;
}

/** The functions of a group, bound when the first of them is needed. */
function bound<Group extends Deno.ForeignLibraryInterface>(group: Group): () => Deno.DynamicLibrary<Group>["symbols"] {
  let symbols: Deno.DynamicLibrary<Group>["symbols"] | undefined;
  return () => {
    if (symbols !== undefined) return symbols;
    libc(); // for its `errno`
    return symbols = Deno.dlopen("libc.so.6", group).symbols;
  };
}

/** The functions that list a directory. */
export const lister = bound(LISTING);
/** The functions that ask for what a reader of the database has no need of. */
export const inquiring = bound(INQUIRING);
/** The functions that change something; taking the writer lock loads them, long before a rename (T-COMMIT-30). */
export const changing = bound(WRITING);
/** The functions few changes need. */
export const rare = bound(RARE);

/** The result of the call made last, or its error number negated. */
export function outcome(result: number): number {
  return result === -1 ? -(errnoAddress?.getInt32(0) ?? 0) : result;
}

/** Most names are short and ASCII: copied here, they cost a fifth of a call of the encoder. */
const SHORT_TEXT = 64;

function encode(text: string, into: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { length } = text;
  if (length <= SHORT_TEXT) {
    let index = 0;
    for (; index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) break;
      into[index] = unit;
    }
    if (index === length) {
      into[length] = 0;
      return into;
    }
  }
  const { written } = encoder.encodeInto(text, into.subarray(0, -1));
  into[written] = 0;
  return into;
}

/** A text as the first, or only, one of a call. */
export const first = (text: string) => encode(text, firstText);
/** A text beside a first one. */
export const second = (text: string) => encode(text, secondText);

/** Memory shared between threads could change under the kernel, or under who reads what the kernel left. */
function isOwnMemory(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}

/** Bytes as the calls take them. */
export function ownMemory(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (isOwnMemory(bytes)) return bytes;
  throw new TypeError("system calls take no shared memory");
}

/** Content to be written: it may lie in a slot of `core/format/shared_ring.ts`, which no thread changes meanwhile. */
export function content(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (isOwnMemory(bytes) || isSlot(bytes)) return bytes;
  throw new TypeError("system calls take no such memory");
}

/** The runtime takes shared memory as it takes any other; its types do not say so. */
function isSlot(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof SharedArrayBuffer;
}
