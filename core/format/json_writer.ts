/** Canonical JSON as producers write it: compact, fixed escapes, one trailing LF (F-PRO-06, F-PRO-07). */

/** What can be written. Objects are lists of pairs, so that field order is always the writer's decision. */
export type JsonOutput = string | number | bigint | boolean | readonly JsonOutput[] | JsonFields;

/** Fields in the order to write; an `undefined` value leaves the field out. */
export class JsonFields {
  constructor(readonly fields: readonly (readonly [string, JsonOutput | undefined])[]) {}
}

/** Writes a document with its trailing LF, as UTF-8 bytes. */
export declare function writeDocument(value: JsonFields): Uint8Array<ArrayBuffer>;
