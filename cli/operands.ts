/** Operands and option values that name packages, roles or files: from words to types, or a usage error. */
import { type InstallTarget, isPackageName, type PackageName } from "../mod.ts";
import { type ParsedArguments, UsageError } from "./arguments.ts";

const PACKAGE_FILE_SUFFIX = ".peipkg";

/**
 * Reads a package name (C-GEN-10).
 *
 * @throws {UsageError}
 */
export function readPackageName(args: ParsedArguments, word: string): PackageName {
  if (isPackageName(word)) return word;
  throw new UsageError(args.words, `"${word}" is not a package name`, {
    path: args.path,
    ...(word.includes("/") ? { hint: `a package file must end in ${PACKAGE_FILE_SUFFIX}` } : {}),
  });
}

export function readPackageNames(args: ParsedArguments, words: readonly string[]): readonly PackageName[] {
  return words.map((word) => readPackageName(args, word));
}

/** Whether an operand is a package file rather than a name (C-GEN-10). */
export function isPackageFile(word: string): boolean {
  return word.endsWith(PACKAGE_FILE_SUFFIX);
}

/**
 * Reads an operand of `install`: a file, a name, or `name=version` (C-INSTALL-05).
 *
 * @throws {UsageError}
 */
export function readInstallTarget(args: ParsedArguments, word: string): InstallTarget {
  if (isPackageFile(word)) return { kind: "file", path: word };
  const equals = word.indexOf("=");
  if (equals < 0) return { kind: "name", name: readPackageName(args, word), version: undefined };
  const version = word.slice(equals + 1);
  if (version === "") throw new UsageError(args.words, `"${word}" names no version`, { path: args.path });
  return { kind: "name", name: readPackageName(args, word.slice(0, equals)), version };
}

/**
 * Reads package operands that may be glob patterns; exact ones must be names.
 *
 * @throws {UsageError}
 */
export function readPatterns(args: ParsedArguments, words: readonly string[]): readonly string[] {
  for (const word of words) if (!/[*?[]/.test(word)) readPackageName(args, word);
  return words;
}

/**
 * Splits comma-separated lists and joins them; duplicates are ignored, empty items are a fault (C-FLAG-09).
 *
 * @throws {UsageError}
 */
export function readList(args: ParsedArguments, option: string, values: readonly string[]): readonly string[] {
  const items = values.flatMap((value) => value.split(","));
  if (items.includes("")) throw new UsageError(args.words, `option --${option} has an empty item`, { path: args.path });
  return [...new Set(items)];
}
