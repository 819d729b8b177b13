/** Names of temporary objects: siblings of the final name, visible on purpose (T-NAME-01). */
import { sha256Hex } from "../format/hash.ts";

const NAME_BYTES_MAX = 255;
const HASH_DIGITS = 12;

/** Suffix of kept new defaults (T-NAME-05). */
export const NEW_DEFAULT_SUFFIX = ".peipkg-new";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Suffix of staged siblings of a transaction, e.g. `.peipkg-staged-12`. */
export function stagedSuffix(transaction: number): string {
  return `.peipkg-staged-${transaction}`;
}

/** Suffix of backup siblings of a transaction, e.g. `.peipkg-backup-12`. */
export function backupSuffix(transaction: number): string {
  return `.peipkg-backup-${transaction}`;
}

/** Whether `siblingName()` has to cut, so that two bases may in principle share a result. */
export function isCut(base: string, suffix: string): boolean {
  return base.length * 3 + suffix.length > NAME_BYTES_MAX &&
    encoder.encode(base).length + suffix.length > NAME_BYTES_MAX;
}

/**
 * Joins a base name and a suffix (ASCII) to a name of at most 255 bytes.
 *
 * A base that is too long is cut at a character boundary and marked with the beginning of its own hash, so that
 * two long names with a common prefix stay apart (T-NAME-02).
 */
export function siblingName(base: string, suffix: string): string {
  if (!isCut(base, suffix)) return base + suffix;
  const bytes = encoder.encode(base);
  let end = NAME_BYTES_MAX - suffix.length - HASH_DIGITS - 1;
  // A continuation byte (10xxxxxx) at the cut means the character before it would be torn.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${decoder.decode(bytes.subarray(0, end))}~${sha256Hex(bytes).slice(0, HASH_DIGITS)}${suffix}`;
}

/**
 * Finds a free sibling name: the plain one, else with `-1`, `-2`, … appended (T-NAME-03).
 *
 * @param isTaken Whether a name is on disk, is a payload path, or was given away already.
 */
export function freeSiblingName(base: string, suffix: string, isTaken: (name: string) => boolean): string {
  let name = siblingName(base, suffix);
  for (let attempt = 1; isTaken(name); attempt++) name = siblingName(base, `${suffix}-${attempt}`);
  return name;
}

/** Directory part of a logical path; `/` for a name directly below the root. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** Last component of a logical path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Path of `name` below the directory `parent`. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** Whether `path` lies below `ancestor`, not counting itself. */
export function isBelow(path: string, ancestor: string): boolean {
  return ancestor === "/"
    ? path.length > 1
    : path.length > ancestor.length && path.startsWith(ancestor) && path.charCodeAt(ancestor.length) === 0x2f;
}
