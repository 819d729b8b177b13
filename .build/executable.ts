/** Lays a self-extracting executable together: shell head, packed program, packed runtime. */
import { gzipSync } from "node:zlib";
import type { BundledFile } from "./bundle.ts";
import { loaderOf, sha256 } from "./runtime.ts";
import { RUNTIME_ENVIRONMENT, RUNTIME_OPTIONS } from "./runtime_options.ts";

const encoder = new TextEncoder();

export interface ExecutableParts {
  /** Shown in the second line, `peipkg 0.1.0 x86_64 (commit …)`. */
  readonly title: string;
  readonly runtime: Uint8Array;
  /** Files beside the runtime, sorted by name. */
  readonly program: readonly BundledFile[];
  /** The permission list, as flags for people to read. */
  readonly permissions: readonly string[];
  /** Text of `head.sh` and `unpack.js`. */
  readonly head: string;
  readonly unpacker: string;
}

/** gzip without name or time, so that equal input gives equal bytes. */
export function pack(bytes: Uint8Array, level = 9): Uint8Array {
  const packed = gzipSync(bytes, { level });
  packed.fill(0, 4, 8);
  return packed;
}

/** One line of JSON, `[[name, size], …]`, then the contents in that order. */
function joinProgram(files: readonly BundledFile[]): Uint8Array {
  const table = encoder.encode(`${JSON.stringify(files.map(({ name, content }) => [name, content.length]))}\n`);
  const joined = new Uint8Array(files.reduce((sum, { content }) => sum + content.length, table.length));
  joined.set(table);
  let offset = table.length;
  for (const { content } of files) {
    joined.set(content, offset);
    offset += content.length;
  }
  return joined;
}

function quoted(word: string): string {
  if (word.includes("'")) throw new Error(`cannot quote ${word}`);
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`;
}

/**
 * @param packedRuntime `pack(parts.runtime)`, apart because it takes seconds and the caller keeps it.
 * @returns The whole file. Offsets in the head count from 1, as `tail -c +N` does.
 */
export function layOut(parts: ExecutableParts, packedRuntime: Uint8Array): Uint8Array {
  const program = joinProgram(parts.program);
  const packedProgram = pack(program);
  const hashes = [sha256(parts.runtime), sha256(program)];
  if (parts.unpacker.includes("'")) throw new Error("unpack.js stands between single quotes and may contain none");
  const values = new Map<string, string>([
    ["TITLE", parts.title],
    // The layout of the directory is part of its name: raise the number with it.
    ["TREE", sha256(encoder.encode(["layout 1", ...hashes].join("\n")))],
    ["LOADER", quoted(loaderOf(parts.runtime))],
    ["UNPACKER", parts.unpacker],
    ["RUNTIME_HASH", hashes[0] ?? ""],
    ["PROGRAM_HASH", hashes[1] ?? ""],
    ["PERMISSIONS", parts.permissions.join("\n#   ")],
    ["RUNTIME_OPTIONS", RUNTIME_OPTIONS.map(quoted).join(" ")],
    ["RUNTIME_ENVIRONMENT", Object.entries(RUNTIME_ENVIRONMENT).map(([name, value]) => `${name}=${value}`).join(" ")],
    ["PROGRAM_SIZE", String(packedProgram.length)],
  ]);
  // Eight digits wide whatever they are, so that the head's length does not depend on them. No leading zero: some
  // shells and tails would read an octal number.
  const DIGITS = 8;
  const render = (start: number): string =>
    parts.head.replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
      if (name === "PROGRAM_START") return String(start).padEnd(DIGITS);
      if (name === "RUNTIME_START") return String(start + packedProgram.length).padEnd(DIGITS);
      const value = values.get(name);
      if (value === undefined) throw new Error(`head.sh has an unknown placeholder @${name}@`);
      return value;
    });
  const head = encoder.encode(render(encoder.encode(render(0)).length + 1));
  const file = new Uint8Array(head.length + packedProgram.length + packedRuntime.length);
  file.set(head);
  file.set(packedProgram, head.length);
  file.set(packedRuntime, head.length + packedProgram.length);
  return file;
}
