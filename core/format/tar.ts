/**
 * A push reader of package archives (section 6). It accepts bytes in pieces of any size, hands each entry and its
 * content to a handler, keeps nothing but one header, and cannot hang: whatever the handler ignores is skipped here.
 *
 * Invariants
 * 1. `handler.raw()` sees every byte once and in order, up to and without the header block of the signature entry:
 *    exactly the signed range (F-SIG-01).
 * 2. An entry is reported only after its header and its extended header satisfy every rule of section 6.
 * 3. A length from the archive decides only how many bytes are passed on; nothing is allocated by it, except the
 *    body of an extended header, which is capped.
 */
import { type PeipkgError, ruleError } from "../errors.ts";
import { decodeForeign } from "../identity/foreign_text.ts";
import {
  BLOCK_BYTES,
  checkPaxSize,
  FIELDS,
  isZero,
  NAME_BYTES,
  type PaxRecords,
  readHeader,
  readPaxRecords,
  type TarHeader,
} from "./tar_header.ts";

/** An entry with its effective names. */
export interface TarEntry {
  readonly type: "file" | "dir" | "symlink";
  /** Name on the wire: a directory's with its slash. */
  readonly wireName: string;
  /** Wire name without a directory's slash; not yet judged as a path. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Target of a symlink, never empty; `undefined` otherwise. */
  readonly target: string | undefined;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

export interface TarHandler {
  /** Bytes of the signed range. Must not keep them. */
  raw(bytes: Uint8Array): void;
  entry(entry: TarEntry): void;
  /** Content of the entry last reported. Must not keep it. */
  data(bytes: Uint8Array): void;
  /** The entry's content is complete. */
  entryEnd(): void;
}

type State = "header" | "pax" | "data" | "padding" | "end";

/** Reads one archive. Feed it with `push()`, then call `finish()`. */
export class TarReader {
  private state: State = "header";
  /** Bytes of content or padding still to come. */
  private remaining = 0;
  private paddingAfter = 0;
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private blockFill = 0;
  private paxBody: Uint8Array | undefined;
  private paxFill = 0;
  private records: PaxRecords | undefined;
  private inPaxBody = false;
  private trailerBytes = 0;
  private rawEnded = false;

  /**
   * @param signatureName Wire name of the entry at whose header the signed range ends.
   */
  constructor(private readonly handler: TarHandler, private readonly signatureName: string) {}

  /** @throws {PeipkgError} `format`: the rules of section 6, and whatever the handler throws. */
  push(chunk: Uint8Array): void {
    let at = 0;
    let rawFrom = 0;
    while (at < chunk.length) {
      if (this.state === "header") {
        const inPlace = this.blockFill === 0 && chunk.length - at >= BLOCK_BYTES;
        if (this.blockFill === 0) this.passRaw(chunk.subarray(rawFrom, at)); // the header itself waits for its verdict
        const taken = Math.min(BLOCK_BYTES - this.blockFill, chunk.length - at);
        const block = inPlace ? chunk.subarray(at, at + BLOCK_BYTES) : this.block;
        if (!inPlace) this.block.set(chunk.subarray(at, at + taken), this.blockFill);
        at = rawFrom = at + taken;
        this.blockFill += taken;
        if (this.blockFill < BLOCK_BYTES) return;
        this.blockFill = 0;
        this.readBlock(block);
        this.passRaw(block);
      } else if (this.state === "end") {
        this.readTrailer(chunk.subarray(at));
        at = chunk.length;
      } else {
        const taken = Math.min(this.remaining, chunk.length - at);
        this.readContent(chunk.subarray(at, at + taken));
        at += taken;
      }
    }
    this.passRaw(chunk.subarray(rawFrom));
  }

  /**
   * Ends the archive.
   *
   * @throws {PeipkgError} `format` (`E_TAR_TRUNCATED`)
   * @see F-TAR-08
   */
  finish(): void {
    if (this.state === "end" && this.trailerBytes % BLOCK_BYTES === 0 && this.trailerBytes >= 2 * BLOCK_BYTES) return;
    throw ruleError("E_TAR_TRUNCATED", "cannot read archive: it ends before its two closing zero blocks");
  }

  private passRaw(bytes: Uint8Array): void {
    if (!this.rawEnded && bytes.length > 0) this.handler.raw(bytes);
  }

  private readBlock(block: Uint8Array): void {
    if (block[0] === 0 && isZero(block)) {
      if (this.records !== undefined) throw this.paxPlacement("no entry follows it");
      this.state = "end";
      this.trailerBytes = BLOCK_BYTES;
      return;
    }
    const header = readHeader(block);
    if (header.type === "pax") {
      if (this.records !== undefined) throw this.paxPlacement("another one follows it"); // F-PAX-03
      checkPaxSize(header.sizeBytes);
      this.paxBody = new Uint8Array(header.sizeBytes);
      this.paxFill = 0;
      this.inPaxBody = true;
      this.begin("pax", header.sizeBytes);
      return;
    }
    const entry = toEntry(block, header, header.type, this.records);
    this.records = undefined;
    if (entry.wireName === this.signatureName) this.rawEnded = true; // invariant 1
    this.handler.entry(entry);
    this.begin("data", entry.sizeBytes);
  }

  /** Begins the content of the entry or extended header just read; what is empty ends at once. */
  private begin(state: "data" | "pax", sizeBytes: number): void {
    this.state = state;
    this.remaining = sizeBytes;
    this.paddingAfter = (BLOCK_BYTES - sizeBytes % BLOCK_BYTES) % BLOCK_BYTES;
    if (sizeBytes === 0) this.endContent();
  }

  private readContent(bytes: Uint8Array): void {
    this.remaining -= bytes.length;
    if (this.state === "data") {
      this.handler.data(bytes);
    } else if (this.state === "pax") {
      this.paxBody?.set(bytes, this.paxFill);
      this.paxFill += bytes.length;
    } else if (!isZero(bytes)) { // F-TAR-04
      throw ruleError("E_TAR_PADDING", "cannot read archive: padding after an entry's content is not NUL");
    }
    if (this.remaining === 0) this.endContent();
  }

  private endContent(): void {
    if (this.state !== "padding") {
      if (this.state === "data") this.handler.entryEnd();
      this.state = "padding";
      this.remaining = this.paddingAfter;
      if (this.remaining > 0) return;
    }
    this.state = "header";
    if (!this.inPaxBody) return;
    this.inPaxBody = false;
    this.records = readPaxRecords(this.paxBody ?? new Uint8Array());
    this.paxBody = undefined;
  }

  private readTrailer(bytes: Uint8Array): void {
    if (!isZero(bytes)) { // F-TAR-08
      throw ruleError("E_TAR_TRAILING", "cannot read archive: data follows its closing zero block");
    }
    this.trailerBytes += bytes.length;
  }

  private paxPlacement(found: string): PeipkgError {
    return ruleError("E_TAR_PAX_SYNTAX", `cannot read extended header: ${found}, expected the entry it describes`);
  }
}

/** Decodes the effective names of an entry (F-TAR-05, F-TAR-07, F-PAX-05, F-PAX-07). */
function toEntry(
  block: Uint8Array,
  header: TarHeader,
  type: TarEntry["type"],
  records: PaxRecords | undefined,
): TarEntry {
  const name = records?.path ?? nameBytes(block, header, records !== undefined);
  const wireName = decode(name, "E_PATH_UTF8");
  if (records?.path !== undefined) checkNeeded("path", name);
  if (type === "dir" && !wireName.endsWith("/")) {
    throw ruleError("E_TAR_DIR_NAME", `cannot read archive: directory "${wireName}" has no slash at its end`);
  }
  const path = type === "dir" ? wireName.slice(0, -1) : wireName;
  const target = targetOf(block, header, type, records);
  return { type, wireName, path, sizeBytes: header.sizeBytes, target, mtime: header.mtime };
}

function nameBytes(block: Uint8Array, header: TarHeader, extended: boolean): Uint8Array {
  const name = block.subarray(FIELDS.name[0], FIELDS.name[0] + header.nameBytes);
  if (header.prefixBytes === 0) return name;
  const joined = new Uint8Array(header.prefixBytes + 1 + name.length);
  joined.set(block.subarray(FIELDS.prefix[0], FIELDS.prefix[0] + header.prefixBytes));
  joined[header.prefixBytes] = 0x2f;
  joined.set(name, header.prefixBytes + 1);
  if (extended || joined.length <= NAME_BYTES || !isAscii(joined)) { // F-TAR-07
    throw ruleError("E_TAR_PREFIX", "cannot read archive: the prefix field is used where it is not needed");
  }
  return joined;
}

function targetOf(
  block: Uint8Array,
  header: TarHeader,
  type: TarEntry["type"],
  records: PaxRecords | undefined,
): string | undefined {
  if (records !== undefined && header.prefixBytes !== 0) { // F-PAX-07
    throw ruleError("E_TAR_PREFIX", "cannot read archive: a prefix stands beside an extended header");
  }
  if (type !== "symlink") {
    if (records?.linkpath === undefined) return undefined;
    throw ruleError("E_TAR_LINKNAME", "cannot read archive: only a symlink has a link name");
  }
  const bytes = records?.linkpath ?? block.subarray(FIELDS.linkname[0], FIELDS.linkname[0] + header.linknameBytes);
  if (bytes.length === 0) throw ruleError("E_TAR_LINKNAME", "cannot read archive: a symlink has no target"); // F-SYM-01
  if (records?.linkpath !== undefined) checkNeeded("linkpath", bytes);
  return decode(bytes, "E_SYMLINK_TARGET");
}

/** F-PAX-05: a record only where the header field cannot hold the name, or for a name that is not ASCII. */
function checkNeeded(key: string, value: Uint8Array): void {
  if (value.length > NAME_BYTES || !isAscii(value)) return;
  throw ruleError("E_TAR_PAX_UNNEEDED", `cannot read extended header: "${key}" is given for a short ASCII name`);
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] ?? 0) >= 0x80) return false;
  return true;
}

/** How much of a name that cannot be read is quoted. */
const SHOWN_BYTES = 160;

/** One decoder for all names: making one costs more than decoding a name. It holds no state between calls. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Uint8Array, rule: "E_PATH_UTF8" | "E_SYMLINK_TARGET"): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    const shown = decodeForeign(bytes.subarray(0, SHOWN_BYTES));
    throw ruleError(rule, `cannot read archive: name "${shown}" is not valid UTF-8`);
  }
}
