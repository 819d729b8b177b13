/** Formats of `query` and `rquery`: text with patterns, parsed once and filled in per package (C-QUERY-01). */
import type { PackageRecord } from "../../mod.ts";
import {
  elementValues,
  type ListFamily,
  type ListPattern,
  memberOf,
  QueryFault,
  readPattern,
  type RecordSource,
  type ScalarPattern,
} from "./patterns.ts";

type Part =
  | { readonly kind: "text"; readonly text: string }
  | ScalarPattern
  | ListPattern
  | { readonly kind: "joined"; readonly pattern: ListPattern; readonly separator: string };

export interface QueryFormat {
  readonly parts: readonly Part[];
  /** The one list whose elements make lines; `undefined`: one line per package. */
  readonly family: ListFamily | undefined;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([["n", "\n"], ["t", "\t"], ["\\", "\\"]]);

/**
 * Parses a format.
 *
 * @throws {QueryFault}
 */
export function parseFormat(text: string, source: RecordSource): QueryFormat {
  const parts: Part[] = [];
  let family: ListFamily | undefined;
  let literal = "";
  const flush = (): void => {
    if (literal !== "") parts.push({ kind: "text", text: literal });
    literal = "";
  };
  for (let at = 0; at < text.length;) {
    const character = text[at];
    if (character === "\\") {
      literal += readEscape(text, at);
      at += 2;
      continue;
    }
    if (character !== "%" || text[at + 1] === "%") {
      literal += character;
      at += character === "%" ? 2 : 1;
      continue;
    }
    flush();
    if (text[at + 1] === "{") {
      const joined = readJoined(text, at + 2, source);
      parts.push(joined.part);
      at = joined.end;
      continue;
    }
    const { pattern, length } = readPattern(text, at + 1, source);
    if (pattern.kind === "list") {
      if (family !== undefined && family !== pattern.family) {
        throw new QueryFault(
          `%${pattern.name} is of another list than %${family.letter}…; use %{…} for one of them`,
          at,
        );
      }
      family = pattern.family;
    }
    parts.push(pattern);
    at += 1 + length;
  }
  flush();
  return { parts, family };
}

function readEscape(text: string, at: number): string {
  const found = ESCAPES.get(text[at + 1] ?? "");
  if (found !== undefined) return found;
  throw new QueryFault("only \\n, \\t and \\\\ may follow a backslash", at);
}

/** `{dn|, }`: `at` is behind the brace. */
function readJoined(
  text: string,
  at: number,
  source: RecordSource,
): { readonly part: Part; readonly end: number } {
  const { pattern, length } = readPattern(text, at, source);
  if (pattern.kind !== "list") throw new QueryFault(`%${pattern.name} is no list`, at);
  if (text[at + length] !== "|") throw new QueryFault('"|" is expected after the pattern', at + length);
  let separator = "";
  for (let end = at + length + 1; end < text.length;) {
    const character = text[end] ?? "";
    if (character === "}") return { part: { kind: "joined", pattern, separator }, end: end + 1 };
    separator += character === "\\" ? readEscape(text, end) : character;
    end += character === "\\" ? 2 : 1;
  }
  throw new QueryFault('"}" is missing', text.length);
}

/**
 * Lines of one package: one, or one per element of the format's list.
 *
 * @param escape Makes a value safe; the format's own text is the caller's and stays as it is.
 */
export function fillFormat(
  { parts, family }: QueryFormat,
  record: PackageRecord,
  escape: (value: string) => string,
): readonly string[] {
  const items = family === undefined ? [{}] : record.list(family.list);
  return items.map((item) =>
    parts.map((part) => {
      switch (part.kind) {
        case "text":
          return part.text;
        case "scalar":
          return escape(part.value(record));
        case "list":
          return escape(memberOf(item, part.member));
        case "joined":
          return elementValues(part.pattern, record).map(escape).join(part.separator);
      }
    }).join("")
  );
}
