/** Canonical JSON as producers write it: compact, fixed escapes, one trailing LF (F-PRO-06, F-PRO-07). */

/** What can be written. Numbers are integers. */
export type JsonOutput = string | number | bigint | boolean | readonly JsonOutput[] | JsonFields;

/** Fields in the order to write; an `undefined` value leaves the field out. Field order is the writer's decision. */
export class JsonFields {
  constructor(readonly fields: readonly (readonly [string, JsonOutput | undefined])[]) {}
}

/** Writes a document with its trailing LF, as UTF-8 bytes. */
export function writeDocument(value: JsonFields): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${writeValue(value)}\n`);
}

function writeValue(value: JsonOutput): string {
  if (typeof value === "string") return writeText(value);
  if (value instanceof JsonFields) {
    const fields: string[] = [];
    for (const [name, content] of value.fields) {
      if (content !== undefined) fields.push(`${writeText(name)}:${writeValue(content)}`);
    }
    return `{${fields.join(",")}}`;
  }
  if (typeof value === "object") return `[${value.map(writeValue).join(",")}]`;
  return String(value);
}

/** F-PRO-07: what has to be escaped, written as a class of characters that may not stand as they are. */
const ESCAPED_REGEXP = /[^\x20\x21\x23-\x5b\x5d-\u2027\u202a-\uffff]/g;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function writeText(text: string): string {
  const escaped = text.replace(
    ESCAPED_REGEXP,
    (character) => SHORT_ESCAPES.get(character) ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}
