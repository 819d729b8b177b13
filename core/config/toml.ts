/**
 * Flat TOML: top-level keys with scalars or lists of scalars, nothing else (R-CONF-02, C-CONF-10). The only file
 * that knows the TOML library.
 */
import { parse, stringify, TomlDate, TomlError } from "smol-toml";

export type TomlScalar = string | bigint | number | boolean;
export type TomlValue = TomlScalar | readonly TomlScalar[];

export interface TomlEntry {
  readonly key: string;
  /** Integers are `bigint`, floats `number`; `undefined`: a table, a date or a nested list. */
  readonly value: TomlValue | undefined;
  /** What was found, for messages. */
  readonly found: "value" | "table" | "date" | "list";
  /** 1-based. */
  readonly line: number;
}

export type TomlDocument =
  | { readonly kind: "entries"; readonly entries: readonly TomlEntry[] }
  | { readonly kind: "malformed"; readonly line: number | undefined; readonly problem: string };

/** Largest configuration file read; real ones are far below a kibibyte. */
export const CONFIGURATION_BYTES = 1024 * 1024;

/**
 * Reads a flat TOML file.
 *
 * @param bytes The file, UTF-8.
 */
export function readFlatToml(bytes: Uint8Array): TomlDocument {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { kind: "malformed", line: undefined, problem: "it is not UTF-8" };
  }
  let table: Record<string, unknown>;
  try {
    table = parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { kind: "malformed", line: error.line, problem: firstLine(error.message) };
  }
  const lines = text.split("\n");
  const entries = Object.entries(table).map(([key, value]): TomlEntry => ({
    key,
    ...classify(value),
    line: lineOfKey(lines, key),
  }));
  return { kind: "entries", entries };
}

/** Writes one `key = value` line. */
export function renderTomlEntry(key: string, value: TomlValue): string {
  return stringify({ [key]: value }, { numbersAsFloat: true }).trimEnd();
}

function classify(value: unknown): Pick<TomlEntry, "value" | "found"> {
  if (isScalar(value)) return { value, found: "value" };
  if (value instanceof TomlDate) return { value: undefined, found: "date" };
  if (!Array.isArray(value)) return { value: undefined, found: "table" };
  const items: readonly unknown[] = value;
  if (items.every(isScalar)) return { value: items.filter(isScalar), found: "value" };
  return { value: undefined, found: items.some((item) => !isScalar(item) && !Array.isArray(item)) ? "table" : "list" };
}

function isScalar(value: unknown): value is TomlScalar {
  return typeof value === "string" || typeof value === "bigint" || typeof value === "number" ||
    typeof value === "boolean";
}

/** The library's message goes on with a picture of the line; its first line says what is wrong. */
function firstLine(message: string): string {
  return (message.split("\n", 1)[0] ?? "").replace(/^Invalid TOML document: /, "");
}

/** The library keeps no positions for values, so the key is looked for where a flat file has it: at a line's start. */
function lineOfKey(lines: readonly string[], key: string): number {
  const spellings = [key, `"${key}"`, `'${key}'`];
  const index = lines.findIndex((line) => {
    const start = line.trimStart().replace(/^\[+\s*/, "");
    return spellings.some((spelling) => start.startsWith(spelling) && /^\s*[=.\]]/.test(start.slice(spelling.length)));
  });
  return index + 1;
}
