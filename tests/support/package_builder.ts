/**
 * Package files made by code, honest or not: every header byte, document and layer can be changed on the way. What is
 * not changed is right, so that a test breaks exactly one rule.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import { PeipkgError } from "../../core/errors.ts";
import { signDigest } from "../../core/format/envelope.ts";
import { openSigningKey, type TrustedKey } from "../../core/format/keys.ts";
import { type ByteSource, type VerifyOptions, verifyPackage } from "../../core/format/package_file.ts";
import { checksumOf, FIELDS } from "../../core/format/tar_header.ts";
import { paddingBytes, writeHeaders } from "../../core/format/tar_writer.ts";

/** One archive entry as bytes are written. */
export interface RawEntry {
  readonly name: string;
  readonly type?: "file" | "dir" | "symlink";
  readonly content?: Uint8Array | string;
  readonly target?: string;
  /** Changes the main header block; its checksum is made right afterwards. */
  readonly patch?: (block: Uint8Array) => void;
  /** Changes the finished blocks of the entry, checksum included. */
  readonly damage?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

/** A payload entry of an otherwise honest package. */
export type PayloadSpec = RawEntry;

/** A JSON object whose fields may be anything. */
export type Fields = Readonly<Record<string, unknown>>;

export interface PackageSpec {
  /** Fields that replace those of the default manifest; `undefined` drops one. */
  readonly manifest?: Fields;
  /** Manifest bytes instead of anything computed. */
  readonly manifestText?: string | Uint8Array;
  /** Fields of the files document that replace the computed ones. */
  readonly files?: Fields;
  readonly filesText?: string | Uint8Array;
  readonly payload?: readonly PayloadSpec[];
  /** Replaces the whole list of entries before the signature. */
  readonly arrange?: (entries: readonly RawEntry[]) => readonly RawEntry[];
  /** Entries after the signature. */
  readonly after?: readonly RawEntry[];
  /** `false`: unsigned. A function changes the envelope's bytes or entry. */
  readonly sign?: boolean | ((envelope: Uint8Array) => RawEntry);
  /** What follows the last entry; two zero blocks when absent. */
  readonly closing?: Uint8Array;
  /** Changes the archive before it is compressed. */
  readonly archive?: (tar: Uint8Array<ArrayBuffer>) => Uint8Array;
  /** Changes the compressed file. */
  readonly file?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  readonly checksum?: boolean;
}

/** The seed of section 16's example, 00 01 … 1f. */
export const EXAMPLE_SEED = Uint8Array.from({ length: 32 }, (_, at) => at);
export const EXAMPLE_SECONDS = 1767323045;
export const EXAMPLE_TIMESTAMP = "2026-01-02T03:04:05Z";

/** A valid manifest of a noarch package `demo` 1.0-1. */
export const DEMO_MANIFEST: Fields = {
  schema_version: 1,
  name: "demo",
  version: "1.0-1",
  architecture: "noarch",
  description: "",
  license: "",
  homepage: "",
  dependencies: [],
  optional_dependencies: [],
  conflicts: [],
  provides: [],
  replaces: [],
  side_effects: [],
  size_installed: 0,
  sd_overrides: [],
  build: { timestamp: EXAMPLE_TIMESTAMP, farm_id: "f1", source_ref: "s1" },
};

/** One file of section 16's example with its ancestors. */
export const DEMO_PAYLOAD: readonly PayloadSpec[] = [
  { name: "usr/", type: "dir" },
  { name: "usr/share/", type: "dir" },
  { name: "usr/share/demo/", type: "dir" },
  { name: "usr/share/demo/hello.txt", content: "hello\n" },
];

/** Builds a package file. */
export async function buildPackage(spec: PackageSpec = {}): Promise<Uint8Array<ArrayBuffer>> {
  const payload = spec.payload ?? DEMO_PAYLOAD;
  const files = payload.filter((entry) => (entry.type ?? "file") === "file");
  const size = files.reduce((total, entry) => total + contentOf(entry).length, 0);
  const manifest = spec.manifestText ?? json({ ...DEMO_MANIFEST, size_installed: size, ...spec.manifest });
  const filesText = spec.filesText ?? json({
    schema_version: 1,
    algorithm: "sha256",
    entries: files.map((entry) => ({
      path: entry.name,
      size: contentOf(entry).length,
      hash: createHash("sha256").update(contentOf(entry)).digest("hex"),
    })),
    ...spec.files,
  });
  const documents: readonly RawEntry[] = [
    { name: ".peipkg/manifest.json", content: manifest },
    { name: ".peipkg/files.json", content: filesText },
  ];
  const entries = spec.arrange?.([...documents, ...payload]) ?? [...documents, ...payload];
  const parts = entries.map(entryBytes);
  if (spec.sign !== false) {
    const digest = createHash("sha256").update(Buffer.concat(parts)).digest();
    const envelope = await signDigest(await openSigningKey(EXAMPLE_SEED), digest);
    parts.push(
      entryBytes(
        typeof spec.sign === "function" ? spec.sign(envelope) : { name: ".peipkg/signature", content: envelope },
      ),
    );
  }
  parts.push(...(spec.after ?? []).map(entryBytes), new Uint8Array(spec.closing ?? new Uint8Array(1024)));
  const tar = new Uint8Array(Buffer.concat(parts));
  const compressed = compress(spec.archive?.(tar) ?? tar, spec.checksum === true);
  return spec.file?.(compressed) ?? compressed;
}

/** Compresses archive bytes as one frame. */
export function compress(tar: Uint8Array, checksum = false): Uint8Array<ArrayBuffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 };
  return new Uint8Array(zstdCompressSync(tar, { params }));
}

/** The blocks of one entry: extended header where one is needed, header, content, padding. */
export function entryBytes(entry: RawEntry): Uint8Array<ArrayBuffer> {
  const type = entry.type ?? "file";
  const content = contentOf(entry);
  const target = entry.target === undefined ? {} : { target: entry.target };
  const headers = writeHeaders(
    { type, wireName: entry.name, sizeBytes: content.length, ...target },
    EXAMPLE_SECONDS,
    "reference",
  );
  if (entry.patch !== undefined) {
    const block = headers.subarray(headers.length - 512);
    entry.patch(block);
    putField(block, "checksum", `${checksumOf(block).toString(8).padStart(6, "0")}\0 `);
  }
  const bytes = new Uint8Array(Buffer.concat([headers, content, new Uint8Array(paddingBytes(content.length))]));
  return entry.damage?.(bytes) ?? bytes;
}

/** Writes ASCII text into a header field, the rest of the field NUL. */
export function putField(block: Uint8Array, field: keyof typeof FIELDS, text: string): void {
  const [at, length] = FIELDS[field];
  block.fill(0, at, at + length);
  block.set(new TextEncoder().encode(text).subarray(0, length), at);
}

/** A pax header entry with a body of our own; it stands before the entry it describes. */
export function paxEntry(body: string | Uint8Array, patch?: (block: Uint8Array) => void): RawEntry {
  return {
    name: "PaxHeaders.0/x",
    content: body,
    patch(block) {
      putField(block, "type", "x");
      putField(block, "mode", "0000000");
      putField(block, "mtime", "00000000000");
      for (const field of ["uname", "gname", "devmajor", "devminor"] as const) putField(block, field, "");
      patch?.(block);
    },
  };
}

/** A pax record with its right length. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = new TextEncoder().encode(rest).length;
  let length = bytes + 1;
  while (String(length).length + bytes !== length) length++;
  return `${length}${rest}`;
}

/** Canonical enough JSON for a document. */
export function json(fields: Fields): string {
  return `${JSON.stringify(fields)}\n`;
}

/** A source over bytes in memory. */
export function sourceOf(bytes: Uint8Array, options: { label?: string; chunkBytes?: number } = {}): ByteSource {
  const { label = "demo", chunkBytes = 65536 } = options;
  return {
    label,
    sizeBytes: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += chunkBytes) {
        yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
      }
    },
  };
}

/** The example key as a trusted one. */
export async function exampleKey(changes: Partial<TrustedKey> = {}): Promise<TrustedKey> {
  const { fingerprint, publicKey } = await openSigningKey(EXAMPLE_SEED);
  return { fingerprint, publicKey, status: "active", ...changes };
}

/** Options under which `buildPackage()` verifies. */
export async function verifyOptions(changes: Partial<VerifyOptions> = {}): Promise<VerifyOptions> {
  return {
    trust: {
      kind: "repository",
      repository: "main",
      policy: "required",
      keys: [await exampleKey()],
      now: EXAMPLE_SECONDS * 1000,
    },
    systemArchitecture: "x86_64",
    layout: "base",
    official: true,
    dropinRepository: "main",
    dropinDirectories: [],
    maxDecompressedBytes: 4294967296,
    ...changes,
  };
}

function contentOf(entry: RawEntry): Uint8Array {
  const { content = "" } = entry;
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

/**
 * Builds and verifies a package.
 *
 * @returns The rule it is refused by; `undefined` when it is accepted.
 */
export async function refusalOf(spec: PackageSpec, changes: Partial<VerifyOptions> = {}): Promise<string | undefined> {
  const bytes = await buildPackage(spec);
  try {
    await verifyPackage(sourceOf(bytes), await verifyOptions(changes));
    return undefined;
  } catch (cause) {
    if (cause instanceof PeipkgError && cause.detail.rule !== undefined) return cause.detail.rule;
    throw cause;
  }
}
