/**
 * Columns as values. Everything in the database is foreign until read through these (T-DB-10): a type that cannot
 * have been stored is `DB_CORRUPT`, never an `undefined` that travels on.
 */
import { corrupt, type Row } from "./database.ts";

function unexpected(column: string): never {
  throw corrupt(`column "${column}" holds a value of another type`);
}

/** A text that is always there. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  return typeof value === "string" ? value : unexpected(column);
}

/** A text, or `undefined` for NULL. */
export function optionalTextOf(row: Row, column: string): string | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "string" ? value : unexpected(column);
}

/** A number that is always there. */
export function integerOf(row: Row, column: string): number {
  const value = row[column];
  return typeof value === "number" ? value : unexpected(column);
}

/** A number, or `undefined` for NULL. */
export function optionalIntegerOf(row: Row, column: string): number | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "number" ? value : unexpected(column);
}

/** An integer read with `bigints`, or `undefined` for NULL. */
export function optionalBigintOf(row: Row, column: string): bigint | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "bigint" ? value : unexpected(column);
}

/** 0 or 1. */
export function booleanOf(row: Row, column: string): boolean {
  return integerOf(row, column) === 1;
}

/** Bytes that are always there. */
export function bytesOf(row: Row, column: string): Uint8Array {
  const value = row[column];
  return value instanceof Uint8Array ? value : unexpected(column);
}

/** Bytes, or `undefined` for NULL. */
export function optionalBytesOf(row: Row, column: string): Uint8Array | undefined {
  return row[column] === null ? undefined : bytesOf(row, column);
}

/** One of a closed list of words. */
export function wordOf<Word extends string>(row: Row, column: string, words: readonly Word[]): Word {
  const value = row[column];
  return words.find((word) => word === value) ?? unexpected(column);
}
