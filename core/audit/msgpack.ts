/** The subset of MessagePack the kernel's event interface is given (A-KMES-30 to A-KMES-34). */

/** A value of an event: no null; numbers are integers a double holds exactly. */
export type AuditValue = string | number | boolean | readonly AuditValue[] | AuditMap;
/** Members are written in the order they were added; absent members are not there at all. */
export type AuditMap = { readonly [key: string]: AuditValue };

const ENCODER = new TextEncoder();

/** Encodes one value. Maps keep the order of their members. */
export function encodeMessagePack(value: AuditValue): Uint8Array {
  const writer = new Writer();
  writer.write(value);
  return writer.finish();
}

/** Grows a buffer by doubling. */
class Writer {
  #bytes = new Uint8Array(1024);
  #length = 0;

  write(value: AuditValue): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "boolean") this.#byte(value ? 0xc3 : 0xc2); // A-KMES-34
    else if (typeof value === "number") this.#integer(BigInt(value));
    else if (isList(value)) {
      this.#header(0x90, 0xdc, value.length); // A-KMES-31
      for (const item of value) this.write(item);
    } else {
      const members = Object.entries(value);
      this.#header(0x80, 0xde, members.length); // A-KMES-30
      for (const [key, member] of members) {
        this.#text(key);
        this.write(member);
      }
    }
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #header(short: number, long: number, count: number): void {
    if (count <= 15) this.#byte(short + count);
    else this.#number(long, BigInt(count), 2);
  }

  /** A-KMES-32 */
  #text(text: string): void {
    const bytes = ENCODER.encode(text);
    const length = bytes.length;
    if (length <= 31) this.#byte(0xa0 + length);
    else if (length <= 0xff) this.#number(0xd9, BigInt(length), 1);
    else if (length <= 0xffff) this.#number(0xda, BigInt(length), 2);
    else this.#number(0xdb, BigInt(length), 4);
    this.#reserve(length);
    this.#bytes.set(bytes, this.#length);
    this.#length += length;
  }

  /** A-KMES-33 */
  #integer(value: bigint): void {
    if (value >= -32n && value <= 127n) this.#byte(Number(value) & 0xff);
    else this.#number(0xd3, BigInt.asUintN(64, value), 8);
  }

  /** A tag and a big-endian number of so many bytes. */
  #number(tag: number, value: bigint, size: number): void {
    this.#byte(tag);
    for (let shift = size - 1; shift >= 0; shift--) this.#byte(Number((value >> BigInt(8 * shift)) & 0xffn));
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function isList(value: readonly AuditValue[] | AuditMap): value is readonly AuditValue[] {
  return Array.isArray(value);
}
