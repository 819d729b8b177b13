/**
 * A strict JSON reader: what the platform's parser cannot tell apart — repeated keys, exact integers, depth, lone
 * surrogates, bytes that are no UTF-8 — is an error here (section 4). It also reads single fields with the rules of
 * their document, so that every reader of metadata reports faults alike.
 */
import type { ErrorRule } from "../errors.ts";

/** A JSON value. Canonical integers up to 2^53−1 are numbers, every other number keeps its token. */
export type JsonValue = null | boolean | string | number | JsonNumber | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];

/** A number that is no canonical non-negative integer below 2^53. */
export class JsonNumber {
  constructor(readonly token: string) {}
}

/** An object with unique keys, in the order of the document. Keys and strings may share memory with the document. */
export interface JsonObject {
  readonly keys: readonly string[];
  get(key: string): JsonValue | undefined;
}

/** Which document is read, and the rules its faults are reported under where they differ (R-DESC-02, R-IDX-01). */
export interface DocumentKind {
  /** Word for messages and `detail.document`: `manifest`, `files`, `signature`, `descriptor`, `index`. */
  readonly document: string;
  /** Syntax, UTF-8 and escape faults; absent: each keeps its own rule (F-JSON-01, 02, 06). */
  readonly syntaxRule?: ErrorRule;
  /** A missing required or mistyped field; absent: `E_FIELD_MISSING`, `E_FIELD_TYPE`. */
  readonly fieldRule?: ErrorRule;
  /** A malformed integer field; absent: `E_JSON_INTEGER`. */
  readonly integerRule?: ErrorRule;
}

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

/** Hands the elements of one top-level array field to a visitor as they are read, instead of keeping them. */
export interface ElementVisitor {
  readonly field: string;
  visit(element: JsonValue, index: number): void;
}

/**
 * Reads a whole document whose top level must be an object.
 *
 * @param visitor The named field's elements are visited in order and not kept; `get()` then gives an empty array.
 * @throws {PeipkgError} `E_JSON_SYNTAX`, `E_JSON_UTF8`, `E_JSON_UNICODE` (or `kind.syntaxRule`),
 *   `E_JSON_DUPLICATE_KEY`, `E_JSON_DEPTH`, `E_FIELD_TYPE` (or `kind.fieldRule`)
 * @see F-JSON-01 … F-JSON-08
 */
export declare function readDocument(bytes: Uint8Array, kind: DocumentKind, visitor?: ElementVisitor): Place;

/** Place of an array's element, which must be an object. `E_FIELD_TYPE` (or `kind.fieldRule`). */
export declare function elementPlace(parent: Place, field: string, value: JsonValue, index: number): Place;
/** Field path of a place and one of its fields, e.g. `dependencies[3].constraint`. */
export declare function fieldPath(place: Place, field: string): string;
/** Required string field. */
export declare function readString(place: Place, field: string): string;
/** Optional string field; `null` is refused (F-JSON-08). */
export declare function readOptionalString(place: Place, field: string): string | undefined;
/** Optional boolean field. */
export declare function readOptionalBoolean(place: Place, field: string): boolean | undefined;
/** Required integer field (F-JSON-05). Values above 2^53−1 come as the nearest double, which no real size equals. */
export declare function readInteger(place: Place, field: string): number;
export declare function readArray(place: Place, field: string): JsonArray;
export declare function readOptionalArray(place: Place, field: string): JsonArray | undefined;
export declare function readObject(place: Place, field: string): Place;
export declare function readOptionalObject(place: Place, field: string): Place | undefined;
/** `schema_version` must be the integer 1; reported before any other complaint about the document (F-JSON-11). */
export declare function checkSchemaVersion(place: Place): void;
/** Refuses fields beside `known` (signature envelope; F-JSON-10). */
export declare function refuseUnknownFields(place: Place, known: readonly string[]): void;
