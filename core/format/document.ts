/**
 * Fields of JSON documents, read with the rules of their document: presence, type, exact integers, schema version.
 * Every reader of metadata goes through here, so that faults are reported alike and name their field path.
 */
import { type ErrorRule, excerpt, PeipkgError, ruleError, type Warning } from "../errors.ts";
import {
  type DocumentKind,
  type ElementVisitor,
  type JsonArray,
  JsonNumber,
  JsonObject,
  type JsonValue,
  readJson,
} from "./strict_json.ts";

/** An object with the place it stands in, so that a fault can name its field path. */
export interface Place {
  readonly object: JsonObject;
  readonly kind: DocumentKind;
  readonly parent: Place | undefined;
  /** Field name in the parent; empty at the top level. */
  readonly field: string;
  /** Index in the parent's array field; −1 when the field itself is the object. */
  readonly index: number;
}

/** F-JSON-05 */
const MAX_INTEGER = 18446744073709551615n;

/**
 * Reads a document whose top level must be an object.
 *
 * @param visitor The named field's elements are visited in order and not kept; its array is then empty. A fault of
 *   syntax anywhere, and an unknown `schema_version`, outrank what the visitor throws.
 * @throws {PeipkgError} `E_JSON_SYNTAX`, `E_JSON_UTF8`, `E_JSON_UNICODE` (or `kind.syntaxRule`),
 *   `E_JSON_DUPLICATE_KEY`, `E_JSON_DEPTH`, `E_FIELD_TYPE` (or `kind.fieldRule`); with a visitor `E_SCHEMA_VERSION`
 * @see F-JSON-01 … F-JSON-08, F-JSON-11
 */
export function readDocument(bytes: Uint8Array, kind: DocumentKind, visitor?: ElementVisitor): Place {
  const failures: unknown[] = [];
  const value = visitor === undefined ? readJson(bytes, kind) : readJson(bytes, kind, {
    field: visitor.field,
    visit: (element, index) => visitor.visit(element, index),
    failed: (cause) => void failures.push(cause),
  });
  if (!(value instanceof JsonObject)) {
    throw ruleError(
      kind.fieldRule ?? "E_FIELD_TYPE",
      `cannot read the ${kind.document} document: it is ${typeName(value)}, expected an object`,
      { document: kind.document },
    );
  }
  const place: Place = { object: value, kind, parent: undefined, field: "", index: -1 };
  if (failures.length > 0) {
    checkSchemaVersion(place);
    throw failures[0];
  }
  return place;
}

/** Place of an array's element, which must be an object. `E_FIELD_TYPE` (or `kind.fieldRule`). */
export function elementPlace(parent: Place, field: string, value: JsonValue, index: number): Place {
  if (!(value instanceof JsonObject)) throw mistyped(parent, `${field}[${index}]`, value, "an object");
  return { object: value, kind: parent.kind, parent, field, index };
}

/** Field path of one of a place's fields, e.g. `dependencies[3].constraint`. */
export function fieldPath(place: Place, field: string): string {
  let path = field;
  for (let at: Place | undefined = place; at !== undefined && at.field !== ""; at = at.parent) {
    const step = at.index < 0 ? at.field : `${at.field}[${at.index}]`;
    path = path === "" ? step : `${step}.${path}`;
  }
  return path;
}

/**
 * Builds the error of a field's content.
 *
 * @param found What was found and what is required, without the field's name.
 */
export function fieldError(place: Place, field: string, rule: ErrorRule, found: string): PeipkgError {
  const path = fieldPath(place, field);
  const document = place.kind.document;
  return ruleError(rule, `cannot read field "${path}" of the ${document} document: ${found}`, {
    document,
    field: path,
  });
}

/** Required string field. */
export function readString(place: Place, field: string): string {
  return readOptionalString(place, field) ?? missing(place, field);
}

/** Optional string field; `null` is refused (F-JSON-08). */
export function readOptionalString(place: Place, field: string): string | undefined {
  const value = place.object.get(field);
  if (value === undefined || typeof value === "string") return value;
  throw mistyped(place, field, value, "a string");
}

/** Optional boolean field. */
export function readOptionalBoolean(place: Place, field: string): boolean | undefined {
  const value = place.object.get(field);
  if (value === undefined || typeof value === "boolean") return value;
  throw mistyped(place, field, value, "true or false");
}

/**
 * Required integer field: `0` or digits without sign, fraction, exponent or leading zero, at most 2^64−1.
 *
 * @returns The value; above 2^53−1 the nearest double, which no real size or version equals.
 * @throws {PeipkgError} `E_JSON_INTEGER` (or `kind.integerRule`); another type `E_FIELD_TYPE` (or `kind.fieldRule`)
 * @see F-JSON-05
 */
export function readInteger(place: Place, field: string): number {
  const value = place.object.get(field);
  if (typeof value === "number") return value;
  if (value === undefined) return missing(place, field);
  if (!(value instanceof JsonNumber)) throw mistyped(place, field, value, "an integer");
  const canonical = /^[1-9][0-9]{0,19}$/.test(value.token); // a plain 0 is never kept as a token
  if (!canonical || BigInt(value.token) > MAX_INTEGER) {
    const shown = excerpt(value.token, 40);
    throw fieldError(
      place,
      field,
      place.kind.integerRule ?? "E_JSON_INTEGER",
      `"${shown}" is no plain integer from 0 to ${MAX_INTEGER}`,
    );
  }
  return Number(value.token);
}

/** Required array field. */
export function readArray(place: Place, field: string): JsonArray {
  return readOptionalArray(place, field) ?? missing(place, field);
}

/** Optional array field. */
export function readOptionalArray(place: Place, field: string): JsonArray | undefined {
  const value = place.object.get(field);
  if (value === undefined || isArray(value)) return value;
  throw mistyped(place, field, value, "an array");
}

/** Required object field. */
export function readObject(place: Place, field: string): Place {
  return readOptionalObject(place, field) ?? missing(place, field);
}

/** Optional object field. */
export function readOptionalObject(place: Place, field: string): Place | undefined {
  const value = place.object.get(field);
  if (value === undefined) return undefined;
  if (!(value instanceof JsonObject)) throw mistyped(place, field, value, "an object");
  return { object: value, kind: place.kind, parent: place, field, index: -1 };
}

/**
 * Refuses a document whose `schema_version` is not the integer 1, before anything else is said about it.
 *
 * @throws {PeipkgError} `E_SCHEMA_VERSION`; missing or mistyped as any field
 * @see F-JSON-11
 */
export function checkSchemaVersion(place: Place): void {
  const version = readInteger(place, "schema_version");
  if (version === 1) return;
  throw fieldError(place, "schema_version", "E_SCHEMA_VERSION", `it is ${version}, this program reads version 1`);
}

/** Refuses fields beside `known`, as the signature envelope demands (F-JSON-10). `E_FIELD_UNKNOWN`. */
export function refuseUnknownFields(place: Place, known: readonly string[]): void {
  for (const key of place.object.keys) {
    if (!known.includes(key)) {
      const shown = excerpt(key, 80);
      throw fieldError(place, shown, "E_FIELD_UNKNOWN", "this document may not hold it");
    }
  }
}

/** Parses a field's text and says where it stands when that fails. */
export function parseAt<T>(place: Place, field: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof PeipkgError) || cause.detail.rule === undefined) throw cause;
    throw fieldError(place, field, cause.detail.rule, cause.message);
  }
}

/** Warns when a document does not end with exactly one LF, which producers write and consumers do not need. F-JSON-13 */
export function checkNewline(
  bytes: Uint8Array,
  document: string,
  warn: ((warning: Warning) => void) | undefined,
): void {
  const last = bytes.length - 1;
  if (warn === undefined || (bytes[last] === 0x0a && bytes[last - 1] !== 0x0a)) return;
  warn({ rule: "W_JSON_NEWLINE", text: `the ${document} document does not end with exactly one line feed` });
}

function isArray(value: JsonValue): value is JsonArray {
  return Array.isArray(value);
}

function missing(place: Place, field: string): never {
  throw fieldError(place, field, place.kind.fieldRule ?? "E_FIELD_MISSING", "it is required and absent");
}

function mistyped(place: Place, field: string, value: JsonValue, expected: string): PeipkgError {
  const found = `it is ${typeName(value)}, expected ${expected}`;
  return fieldError(place, field, place.kind.fieldRule ?? "E_FIELD_TYPE", found);
}

function typeName(value: JsonValue): string {
  if (value === null) return "null";
  if (isArray(value)) return "an array";
  if (typeof value === "number" || value instanceof JsonNumber) return "a number";
  if (typeof value === "boolean") return "true or false";
  return typeof value === "string" ? "a string" : "an object";
}
