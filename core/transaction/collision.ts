/**
 * Who may have a path: reserved paths, drop-in directories, ownership, and objects nobody owns (transactions.md
 * section 8). Everything found wrong is gathered, so that the operator sees every path at once.
 */
import { type ErrorRule, type PathDetail, type PeipkgError, ruleError } from "../errors.ts";
import { DROPIN_NAMES } from "../format/destinations.ts";
import type { Directory, FileStatus } from "../system.ts";
import type { ContentReader } from "./config_files.ts";
import type { ContentEntry, ContentSource } from "./input.ts";
import { baseName, isBelow, parentPath } from "./names.ts";

/** Reserved in every root (T-COLL-15). */
const RESERVED_PATHS: readonly string[] = ["/var/lib/peipkg", "/conf/peipkg", "/var/log/peipkg"];
/** A component that is reserved wherever it appears (T-RETAIN-03). */
export const RETAINED_COMPONENT = ".peipkg-retained";
const RETAINED_REGEXP = /\/\.peipkg-retained(?:\/|$)/;

/** Protected drop-in directories (A-DROPIN-01); configuration adds to them, never takes away (A-DROPIN-02). */
const DROPIN_DIRECTORIES: readonly string[] = DROPIN_NAMES.flatMap((name) => [
  `/etc/${name}`,
  `/usr/etc/${name}`,
]);

/** Names a scanning loader would pick up under any suffix (T-STAGE-07, T-COLL-11). */
const LIBRARY_REGEXP = /^(?:lib.*\.so|ld-.*\.so)/;

/** Path rules that need the operator's settings. */
export class PathRules {
  readonly #reserved: readonly string[];
  readonly #dropins: ReadonlySet<string>;

  constructor(reserved: readonly string[], dropins: readonly string[]) {
    this.#reserved = [...RESERVED_PATHS, ...reserved];
    this.#dropins = new Set([...DROPIN_DIRECTORIES, ...dropins.map((path) => path.replace(/\/+$/, ""))]);
  }

  /** Whether a path is, or lies below, one the package manager keeps to itself (T-COLL-15). */
  isReserved(path: string): boolean {
    if (this.#reserved.some((reserved) => path === reserved || isBelow(path, reserved))) return true;
    return path.includes(RETAINED_COMPONENT) && RETAINED_REGEXP.test(path);
  }

  /** Whether a payload directory is one of the reserved directories themselves: the package manager ships those. */
  isReservedDirectory(path: string): boolean {
    return this.#reserved.includes(path);
  }

  /** Whether names directly in a directory are picked up by something that scans it (A-DROPIN-01). */
  isDropin(directory: string): boolean {
    return this.#dropins.has(directory);
  }

  /** Whether a name must not linger beside its destination (T-STAGE-07, T-COLL-11). */
  isScanned(path: string): boolean {
    return this.isDropin(parentPath(path)) || LIBRARY_REGEXP.test(baseName(path));
  }

  /**
   * Whether a package that is not official may have a non-directory there (A-DROPIN-03, A-DROPIN-04, F-DROP-03).
   *
   * @param repository Handle, or `local` for a local file.
   */
  allowsDropin(path: string, repository: string, name: string): boolean {
    for (let place = parentPath(path); place !== "/"; place = parentPath(place)) {
      if (this.#dropins.has(place)) return isNamespaced(path.slice(place.length + 1), repository, name);
    }
    return true;
  }
}

/** F-DROP-03: `<repo>/<package>…` or `peios-<repo>/<package>…`, or one of those two with `-<package>` appended. */
function isNamespaced(relative: string, repository: string, name: string): boolean {
  const [first, second] = relative.split("/");
  if (first === undefined || second === undefined) return false;
  for (const own of [repository, `peios-${repository}`]) {
    if (first === `${own}-${name}`) return true;
    if (first !== own) continue;
    if (second === name) return true;
    if (second.startsWith(`${name}.`) || second.startsWith(`${name}-`)) return true;
  }
  return false;
}

/** What nobody may find in the way; gathered by rule. */
export class Obstacles {
  readonly #found = new Map<ErrorRule, PathDetail[]>();

  /** Notes one path. `other` is the package already there. */
  add(rule: ErrorRule, path: string, name: string, other?: string): void {
    const list = this.#found.get(rule) ?? [];
    list.push(other === undefined ? { path, package: name, rule } : { path, package: name, other, rule });
    this.#found.set(rule, list);
  }

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  /** The error of the gravest rule found, with all its paths. */
  toError(): PeipkgError {
    for (const rule of GRAVITY) {
      const paths = this.#found.get(rule);
      if (paths !== undefined) return obstacleError(rule, paths);
    }
    return obstacleError("FILE_CONFLICT", []);
  }
}

const GRAVITY: readonly ErrorRule[] = [
  "PATH_RESERVED",
  "E_DEST_DROPIN",
  "FILE_CONFLICT",
  "CLAIM_PATH_OWNED",
  "TYPE_CHANGE_BLOCKED",
  "UNOWNED_EXISTS",
];

function obstacleError(rule: ErrorRule, paths: readonly PathDetail[]): PeipkgError {
  const first = paths[0] ?? { path: "/" };
  const name = first.package ?? "the package";
  const more = paths.length > 1 ? ` (and ${paths.length - 1} more)` : "";
  const lines = paths.length > 1 ? paths.map((entry) => entry.path) : [];
  return ruleError(rule, `${obstacleText(rule, name, first)}${more}`, {
    paths,
    lines,
    package: name,
    path: first.path,
    ...(rule === "UNOWNED_EXISTS" ? { hint: "pass --overwrite-unowned to move it aside" } : {}),
  });
}

function obstacleText(rule: ErrorRule, name: string, { path, other }: PathDetail): string {
  switch (rule) {
    case "PATH_RESERVED":
      return `cannot install ${name}: ${path} is reserved to the package manager`;
    case "E_DEST_DROPIN":
      return `cannot install ${name}: ${path} lies in a protected drop-in directory, and the package is not official`;
    case "UNOWNED_EXISTS":
      return `cannot install ${name}: ${path} exists and no package owns it`;
    case "CLAIM_PATH_OWNED":
      return `cannot install ${name}: ${path} is both a claim path and a path of ${other ?? "a package"}`;
    case "TYPE_CHANGE_BLOCKED":
      return `cannot install ${name}: ${path} is a directory with content of others, the package has a file there`;
    default:
      return `cannot install ${name}: ${path} belongs to ${other ?? "another package"}`;
  }
}

/** Checks every path of a package against the rules that need no disk (T-COLL-14, T-COLL-15). */
export function checkPayloadPath(
  rules: PathRules,
  content: ContentSource,
  entry: ContentEntry,
  obstacles: Obstacles,
): void {
  if (rules.isReserved(entry.path)) {
    const isOwnDirectory = entry.type === "dir" && content.name === "peipkg" && rules.isReservedDirectory(entry.path);
    if (!isOwnDirectory) obstacles.add("PATH_RESERVED", entry.path, content.name);
  }
  if (entry.type === "dir" || content.official) return;
  if (!rules.allowsDropin(entry.path, content.repository ?? "local", content.name)) {
    obstacles.add("E_DEST_DROPIN", entry.path, content.name);
  }
}

/**
 * Whether an unowned object may become the package's without being touched (T-COLL-06, T-COLL-09).
 *
 * A file somebody else can write, or has a second name for, is never adopted: that would hand them the package's file.
 */
export function isAdoptable(
  directory: Directory,
  name: string,
  found: FileStatus,
  wanted: {
    readonly type: "file" | "symlink";
    readonly hash: string;
    readonly target: string;
    readonly sizeBytes: number;
  },
  facts: { readonly hasKacs: boolean; readonly callerUid: number },
  reader: ContentReader,
): boolean {
  if (found.type !== wanted.type) return false;
  if (wanted.type === "symlink") return directory.readLink(name) === wanted.target;
  if (found.links !== 1 || found.sizeBytes !== wanted.sizeBytes) return false;
  if (!facts.hasKacs) {
    const isTrusted = found.uid === 0 || found.uid === facts.callerUid;
    if (!isTrusted || (found.mode & 0o6022) !== 0) return false;
  }
  return reader.hash(directory, name) === wanted.hash;
}
