/**
 * Where displaced content is kept for undo (transactions.md section 20): numbers, not names, so that nothing scanning
 * a directory takes them for something else. One accessor spells the places.
 */
import { openOrCreateChild } from "../fs/durable.ts";
import { corrupt } from "../store/database.ts";
import type { RetainedRun } from "../store/history.ts";
import type { JournalFile } from "../store/journal.ts";
import type { Directory } from "../system.ts";
import { RETAINED_COMPONENT } from "./collision.ts";
import type { DirectoryPool } from "./directories.ts";
import { childPath, parentPath } from "./names.ts";

const STATE_PREFIX = "state:";
const ROOT_PREFIX = "root:";
const STATE_AREA = "retained";
const PRIVATE_MODE = 0o700;
/** The two forms of T-RETAIN-09; what follows the number lies inside a retained directory. */
const STATE_REGEXP = /^state:retained\/([0-9]+)\/([0-9]+)((?:\/[^/\0]+)*)$/;

/** A kept object: the pinned directory it is in, and its name there. */
export interface RetainedObject extends Disposable {
  readonly directory: Directory;
  readonly name: string;
}

/**
 * Where a transaction keeps what it displaces: below `STATE`, or on the directory's own file system when that is
 * another. The recorded place of one object is the area, a slash and the object's number.
 */
export class RetainedAreas {
  /** The answer given last: files come directory by directory. */
  #last: { readonly directory: Directory; readonly area: string } | undefined;

  constructor(readonly state: Directory, readonly pool: DirectoryPool, readonly transaction: number) {}

  /** The area for the objects of a directory. */
  of(directory: Directory): string {
    if (this.#last?.directory === directory) return this.#last.area;
    const area = directory.device === this.state.device
      ? `${STATE_PREFIX}${STATE_AREA}/${this.transaction}`
      : `${ROOT_PREFIX}${childPath(this.#mountArea(directory), String(this.transaction))}`;
    this.#last = { directory, area };
    return area;
  }

  #mountArea(directory: Directory): string {
    return childPath(this.pool.mountPoint(directory), RETAINED_COMPONENT);
  }

  /** Stretches of the journal with the area each is kept in; directories and the operator's objects are in none. */
  runs(files: readonly JournalFile[]): readonly RetainedRun[] {
    const runs: { -readonly [Key in keyof RetainedRun]: RetainedRun[Key] }[] = [];
    for (const { path, sequence, action, keepBackup, oldType } of files) {
      if ((action !== "replace" && action !== "remove") || keepBackup || oldType === "dir") continue;
      const area = this.of(this.pool.need(parentPath(path)));
      const run = runs.at(-1);
      if (run?.area === area && run.last === sequence - 1) run.last = sequence;
      else runs.push({ area, first: sequence, last: sequence });
    }
    return runs;
  }
}

/** Opens the directory a recorded place lies in; `undefined` when it does not exist. */
export function openRetained(state: Directory, pool: DirectoryPool, place: string): RetainedObject | undefined {
  const names = placeNames(place);
  const last = names.pop() ?? "";
  const directory = place.startsWith(STATE_PREFIX)
    ? descend(state, names)
    : pool.root.openDirectory(`/${names.join("/")}`);
  if (directory === undefined) return undefined;
  return { directory, name: last, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

/** The numbered object a recorded place belongs to: itself, or the directory it was displaced with. */
export function numberedPlace(place: string): string {
  const names = placeNames(place);
  if (place.startsWith(STATE_PREFIX)) return `${STATE_PREFIX}${names.slice(0, 3).join("/")}`;
  return `${ROOT_PREFIX}/${names.slice(0, names.indexOf(RETAINED_COMPONENT) + 3).join("/")}`;
}

/** Opens the directory that holds a transaction's numbered directory, the latter being the name. */
export function openRetainedArea(state: Directory, pool: DirectoryPool, place: string): RetainedObject | undefined {
  const names = placeNames(place);
  const end = place.startsWith(STATE_PREFIX) ? 2 : names.indexOf(RETAINED_COMPONENT) + 2;
  const area = names.slice(0, end);
  const last = area.pop() ?? "";
  const directory = place.startsWith(STATE_PREFIX)
    ? descend(state, area)
    : pool.root.openDirectory(`/${area.join("/")}`);
  if (directory === undefined) return undefined;
  return { directory, name: last, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

/** Opens the directory a recorded place lies in, making it when needed. */
export function makeRetained(state: Directory, pool: DirectoryPool, place: string): RetainedObject {
  const names = placeNames(place);
  const last = names.pop() ?? "";
  let current: Directory | undefined;
  if (place.startsWith(STATE_PREFIX)) {
    for (const name of names) {
      const next = openOrCreateChild(current ?? state, name, PRIVATE_MODE);
      current?.[Symbol.dispose]();
      current = next;
    }
  } else {
    const area = names.length - 2;
    current = pool.root.openDirectory(`/${names.slice(0, area).join("/")}`);
    for (const name of names.slice(area)) {
      if (current === undefined) break;
      const next = openOrCreateChild(current, name, PRIVATE_MODE);
      current[Symbol.dispose]();
      current = next;
    }
  }
  if (current === undefined) throw corrupt(`retained place "${place}" does not exist`);
  const directory = current;
  return { directory, name: last, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

function descend(from: Directory, names: readonly string[]): Directory | undefined {
  let current: Directory | undefined;
  for (const name of names) {
    const next: Directory | undefined = (current ?? from).openDirectory(name);
    current?.[Symbol.dispose]();
    if (next === undefined) return undefined;
    current = next;
  }
  return current;
}

/** Components below the state directory or the root; the text comes from the database and is checked (T-DB-10). */
function placeNames(place: string): string[] {
  const path = place.startsWith(STATE_PREFIX) ? place.slice(STATE_PREFIX.length) : place.slice(ROOT_PREFIX.length + 1);
  const isKnown = place.startsWith(STATE_PREFIX) ? STATE_REGEXP.test(place) : place.startsWith(`${ROOT_PREFIX}/`) &&
    place.includes(`/${RETAINED_COMPONENT}/`);
  const names = path.split("/");
  if (!isKnown || names.some((name) => name === "" || name === "." || name === "..")) {
    throw corrupt(`retained place "${place}" is unsafe`);
  }
  return names;
}

/** Words for a place, for the report. */
export function placeWords(place: string, statePath: string): string {
  return place.startsWith(STATE_PREFIX)
    ? childPath(statePath, place.slice(STATE_PREFIX.length))
    : place.slice(ROOT_PREFIX.length);
}
