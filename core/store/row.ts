/**
 * Columns as values. Everything in the database is foreign until read through these (T-DB-10): a type that cannot
 * have been stored is `DB_CORRUPT`, never an `undefined` that travels on.
 */
import { type Architecture, isArchitecture } from "../identity/architecture.ts";
import { isPackageName, type PackageName } from "../identity/package_name.ts";
import { isSafePath } from "../identity/safe_path.ts";
import { parseVersion, type Version } from "../identity/version.ts";
import { corrupt, type Row } from "./database.ts";

function unexpected(column: Column): never {
  throw corrupt(`column "${column}" holds a value of another type`);
}

/** Name of a column, or its position in a positional row. */
export type Column = string | number;

/** A text that is always there. */
export function textOf(row: Row, column: Column): string {
  const value = row[column];
  return typeof value === "string" ? value : unexpected(column);
}

/** A text, or `undefined` for NULL. */
export function optionalTextOf(row: Row, column: Column): string | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "string" ? value : unexpected(column);
}

/** A number that is always there. */
export function integerOf(row: Row, column: Column): number {
  const value = row[column];
  return typeof value === "number" ? value : unexpected(column);
}

/** A number, or `undefined` for NULL. */
export function optionalIntegerOf(row: Row, column: Column): number | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "number" ? value : unexpected(column);
}

/** An integer read with `bigints`, or `undefined` for NULL. */
export function optionalBigintOf(row: Row, column: Column): bigint | undefined {
  const value = row[column];
  if (value === null) return undefined;
  return typeof value === "bigint" ? value : unexpected(column);
}

/** 0 or 1. */
export function booleanOf(row: Row, column: Column): boolean {
  return integerOf(row, column) === 1;
}

/** Bytes that are always there. */
export function bytesOf(row: Row, column: Column): Uint8Array {
  const value = row[column];
  return value instanceof Uint8Array ? value : unexpected(column);
}

/** Bytes, or `undefined` for NULL. */
export function optionalBytesOf(row: Row, column: Column): Uint8Array | undefined {
  return row[column] === null ? undefined : bytesOf(row, column);
}

/** One of a closed list of words. */
export function wordOf<Word extends string>(row: Row, column: Column, words: readonly Word[]): Word {
  const value = row[column];
  return words.find((word) => word === value) ?? unexpected(column);
}

const HASH_REGEXP = /^[0-9a-f]{64}$/;

/** A package name. */
export function nameOf(row: Row, column: Column): PackageName {
  const text = textOf(row, column);
  if (!isPackageName(text)) throw corrupt(`"${text}" is no package name`);
  return text;
}

/** A version. */
export function versionOf(row: Row, column: Column): Version {
  const text = textOf(row, column);
  try {
    return parseVersion(text);
  } catch {
    throw corrupt(`"${text}" is no version`);
  }
}

/** An architecture. */
export function architectureOf(row: Row, column: Column): Architecture {
  const text = textOf(row, column);
  if (!isArchitecture(text)) throw corrupt(`"${text}" is no architecture`);
  return text;
}

/** A logical path: absolute, and safe below its slash. */
export function pathOf(row: Row, column: Column): string {
  const text = textOf(row, column);
  if (!isInstallPath(text)) throw corrupt(`path "${text}" is unsafe`);
  return text;
}

/** A SHA-256; `undefined` for NULL. */
export function hashOf(row: Row, column: Column): string | undefined {
  const text = optionalTextOf(row, column);
  if (text !== undefined && !HASH_REGEXP.test(text)) throw corrupt(`"${text}" is no SHA-256`);
  return text;
}

function isInstallPath(text: string): boolean {
  return text.startsWith("/") && isSafePath(text.slice(1));
}
