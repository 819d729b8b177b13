/**
 * Where packages may put files: the layout table, symlink targets and drop-in directories (section 11). Everything
 * is judged by spelling alone; no file system is consulted.
 */
import { type ErrorRule, excerpt, type PeipkgError, ruleError } from "../errors.ts";
import { type Architecture, KNOWN_ARCHITECTURES, tripletOf } from "../identity/architecture.ts";
import { findTextViolation, type SafePath } from "../identity/safe_path.ts";

/** Destination profiles; `both` permits what either permits (key `layout`). */
export type Layout = "base" | "late" | "both";

export type EntryType = "file" | "dir" | "symlink";

/** What decides where a package's entries may go. */
export interface DestinationRules {
  readonly layout: Layout;
  readonly architecture: Architecture;
  readonly packageName: string;
  /** Packages of the official repository may fill drop-in directories (F-DROP-02). */
  readonly official: boolean;
  /** Repository handle, or `local`. */
  readonly dropinRepository: string;
  /** Absolute paths added to the built-in list (F-DROP-01). */
  readonly dropinDirectories: readonly string[];
}

type Profile = "base" | "late";

/** One row of the destination table. */
interface Destination {
  /** Path of the destination; entries lie below it. */
  readonly root: string;
  readonly profiles: readonly Profile[];
  readonly noarch: boolean;
}

const EVERY: readonly Profile[] = ["base", "late"];

/** The rows that are plain directories. */
const DESTINATIONS: readonly Destination[] = [
  { root: "usr/bin", profiles: EVERY, noarch: true },
  { root: "usr/sbin", profiles: EVERY, noarch: true },
  { root: "usr/lib/debug", profiles: EVERY, noarch: false },
  { root: "usr/lib/firmware", profiles: ["late"], noarch: true },
  { root: "usr/libexec", profiles: EVERY, noarch: true },
  { root: "usr/share", profiles: EVERY, noarch: true },
  { root: "usr/include", profiles: EVERY, noarch: true },
  { root: "usr/src/debug", profiles: EVERY, noarch: true },
  { root: "usr/src/dist", profiles: EVERY, noarch: true },
  { root: "usr/etc", profiles: ["late"], noarch: true },
  { root: "usr/conf", profiles: ["late"], noarch: true },
  { root: "++", profiles: ["late"], noarch: true },
  { root: "etc", profiles: ["base"], noarch: true },
  { root: "var", profiles: EVERY, noarch: true },
  { root: "opt", profiles: ["base"], noarch: true },
  { root: "boot", profiles: EVERY, noarch: true },
  { root: "hooks", profiles: EVERY, noarch: true },
  { root: "system", profiles: ["base"], noarch: true },
];

/** Directories that may be listed empty in the base profile, with nothing below them. */
const RUNTIME_DIRECTORIES: ReadonlySet<string> = new Set(["dev", "proc", "run", "sys", "tmp"]);

const OS_RELEASE = "usr/lib/os-release";
const MODULES = "usr/lib/modules";
const KNOWN_TRIPLETS = KNOWN_ARCHITECTURES.flatMap((architecture) => tripletOf(architecture) ?? []);

/** F-SYM-05: destinations whatever the architecture. */
const LOOSE_ROOTS: Readonly<Record<Profile, readonly string[]>> = {
  base: looseRoots("base"),
  late: looseRoots("late"),
};

/** Names of the built-in drop-in directories (F-DROP-01, A-DROPIN-01). */
export const DROPIN_NAMES: readonly string[] = [
  "ld.so.conf.d",
  "profile.d",
  "sudoers.d",
  "cron.d",
  "cron.daily",
  "cron.hourly",
  "cron.weekly",
  "cron.monthly",
  "sysctl.d",
  "modules-load.d",
  "modprobe.d",
  "binfmt.d",
];

/** Judges the payload entries of one package. */
export interface DestinationCheck {
  /**
   * Checks one entry's place.
   *
   * @throws {PeipkgError} `format` (`E_DEST`, `E_DEST_ARCH`, `E_DEST_VAR`, `E_DEST_DROPIN`)
   */
  check(path: SafePath, type: EntryType): void;
  /** Checks that a claim link would not stand in somebody else's drop-in directory (C-MAT-12). `E_DEST_DROPIN` */
  checkClaimPath(path: SafePath): void;
  /**
   * Checks that a security descriptor is not meant for a drop-in directory or another package's part of one, which
   * would decide who may write there (A-DROPIN-05). `E_DEST_DROPIN`
   */
  checkOverride(path: SafePath): void;
}

/**
 * Prepares the destination test of one package.
 *
 * @see F-DST-01 … F-DST-08, F-DROP-01 … F-DROP-03
 */
export function createDestinationCheck(rules: DestinationRules): DestinationCheck {
  const profiles = profilesOf(rules.layout);
  const open = profiles.map((profile) => openDestinations(rules.architecture, profile));
  const dropins = rules.official ? [] : dropinDirectories(rules);
  return {
    check(path, type) {
      const permitted = profiles.some((profile, at) => isPermitted(path, type, open[at] ?? [], profile, rules));
      if (!permitted) throw destinationError(path, type, rules);
      if (type !== "dir") checkDropins(path, dropins, rules);
    },
    checkClaimPath: (path) => checkDropins(path, dropins, rules),
    // A directory that is the package's own counts as what may be put into it.
    checkOverride: (path) => checkDropins(path, dropins, rules, `${path}/`),
  };
}

/**
 * Whether a path equals or lies below a destination of any architecture (F-SYM-05).
 *
 * @param deeper Demand at least one component below the destination.
 */
function isLooseDestination(path: string, layout: Layout, deeper = false): boolean {
  return profilesOf(layout).some((profile) =>
    LOOSE_ROOTS[profile].some((root) => path.startsWith(`${root}/`) || (!deeper && path === root))
  );
}

/**
 * Whether a claim link may stand at a path (F-CLM-05).
 *
 * @param path Without its leading slash.
 */
export function isClaimDestination(path: string, layout: Layout): boolean {
  if (path.startsWith("run/") || isLooseDestination(path, layout, true)) return true;
  return path === "init" && layout !== "base"; // F-LATE-04
}

/**
 * Checks a symlink's target as text and where it leads, lexically.
 *
 * @param link Path of the link.
 * @param target Non-empty; emptiness is a fault of the archive (`E_TAR_LINKNAME`).
 * @throws {PeipkgError} `format` (`E_SYMLINK_ABSOLUTE`, `E_SYMLINK_TARGET`, `E_SYMLINK_ESCAPE`)
 * @see F-SYM-01 … F-SYM-06
 */
export function checkSymlinkTarget(link: SafePath, target: string, layout: Layout): void {
  if (target.startsWith("/")) {
    throw symlinkError(link, target, "E_SYMLINK_ABSOLUTE", "it is absolute, expected a relative target");
  }
  if (findTextViolation(target) !== undefined) {
    throw symlinkError(link, target, "E_SYMLINK_TARGET", "its text is not allowed in a path");
  }
  const resolved = resolveTarget(link, target);
  if (resolved === undefined) throw symlinkError(link, target, "E_SYMLINK_ESCAPE", "it leads above the root");
  if (!isLooseDestination(resolved, layout)) {
    throw symlinkError(link, target, "E_SYMLINK_ESCAPE", `it leads to "/${resolved}", outside every destination`);
  }
}

/** F-SYM-03. `undefined`: popped above the root. */
function resolveTarget(link: SafePath, target: string): string | undefined {
  const components = link.split("/");
  components.pop();
  for (const segment of target.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") components.push(segment);
    else if (components.pop() === undefined) return undefined;
  }
  return components.join("/");
}

function profilesOf(layout: Layout): readonly Profile[] {
  return layout === "both" ? EVERY : [layout];
}

function looseRoots(profile: Profile): readonly string[] {
  const roots = DESTINATIONS.filter((row) => row.profiles.includes(profile) && !row.root.startsWith("usr/lib/"));
  return ["usr/lib", ...roots.map((row) => row.root)];
}

function openDestinations(architecture: Architecture, profile: Profile): readonly string[] {
  const triplet = tripletOf(architecture);
  const roots = DESTINATIONS.filter((row) => row.profiles.includes(profile) && (row.noarch || triplet !== undefined))
    .map((row) => row.root);
  return triplet === undefined ? roots : [`usr/lib/${triplet}`, ...roots];
}

function isPermitted(
  path: string,
  type: EntryType,
  open: readonly string[],
  profile: Profile,
  rules: DestinationRules,
): boolean {
  for (const root of open) {
    if (path.startsWith(root)) {
      if (path.length === root.length) return type === "dir"; // F-DST-03
      if (path.charCodeAt(root.length) === 0x2f) return root !== "var" || type === "dir"; // F-DST-02, F-DST-08
    } else if (type === "dir" && root.startsWith(path) && root.charCodeAt(path.length) === 0x2f) {
      return true; // F-DST-03: a proper ancestor
    }
  }
  if (path === OS_RELEASE) return type !== "dir";
  if (path === "usr/lib") return type === "dir"; // ancestor of os-release, whatever the architecture
  if (rules.architecture !== "noarch" && isAtOrBelow(path, MODULES)) {
    // The destination is the release's directory: nothing but directories stands above its content.
    return type === "dir" || path.indexOf("/", MODULES.length + 1) >= 0;
  }
  return profile === "base" && type === "dir" && RUNTIME_DIRECTORIES.has(path);
}

function isAtOrBelow(path: string, root: string): boolean {
  return path.startsWith(root) && (path.length === root.length || path.charCodeAt(root.length) === 0x2f);
}

function destinationError(path: string, type: EntryType, rules: DestinationRules): PeipkgError {
  const own = tripletOf(rules.architecture);
  const foreign = KNOWN_TRIPLETS.find((triplet) => triplet !== own && isAtOrBelow(path, `usr/lib/${triplet}`));
  if (foreign !== undefined) { // F-DST-05, F-DST-06
    return refused(path, "E_DEST_ARCH", `"usr/lib/${foreign}" is not for ${rules.architecture} packages`);
  }
  if (own === undefined && (isAtOrBelow(path, "usr/lib/debug") || isAtOrBelow(path, MODULES))) { // F-DST-06
    return refused(path, "E_DEST_ARCH", "a noarch package may not hold architecture-dependent content");
  }
  if (type !== "dir" && path.startsWith("var/")) { // F-DST-08
    return refused(path, "E_DEST_VAR", `below "var/" only directories are permitted`);
  }
  return refused(path, "E_DEST", "it lies outside every permitted destination"); // F-DST-01, F-DST-04
}

/** Drop-in directories as payload paths with a trailing slash. */
function dropinDirectories(rules: DestinationRules): readonly string[] {
  const parents = profilesOf(rules.layout).map((profile) => profile === "base" ? "etc" : "usr/etc");
  const builtIn = parents.flatMap((parent) => DROPIN_NAMES.map((name) => `${parent}/${name}/`));
  return [...builtIn, ...rules.dropinDirectories.map((path) => `${path.replace(/^\/+|\/+$/g, "")}/`)];
}

/** @param judged What the namespace is looked for in, when it is not the path itself. */
function checkDropins(path: string, dropins: readonly string[], rules: DestinationRules, judged = path): void {
  for (const dropin of dropins) {
    if (path.startsWith(dropin) ? !isNamespaced(judged.slice(dropin.length), rules) : `${path}/` === dropin) {
      // A link or file in the drop-in's own place would decide what everybody else's drop-ins are.
      const found = `only the official repository may place files in "/${dropin}"`;
      throw refused(path, "E_DEST_DROPIN", found);
    }
  }
}

/** F-DROP-03: below a directory named after repository and package. */
function isNamespaced(below: string, rules: DestinationRules): boolean {
  const [first, second] = below.split("/", 2);
  if (first === undefined || second === undefined) return false; // F-DROP-02: directly in the drop-in directory
  const { dropinRepository: repository, packageName: name } = rules;
  if (first === repository || first === `peios-${repository}`) {
    return second === name || second.startsWith(`${name}.`) || second.startsWith(`${name}-`);
  }
  return first === `${repository}-${name}` || first === `peios-${repository}-${name}`;
}

function refused(path: string, rule: ErrorRule, found: string): PeipkgError {
  return ruleError(rule, `cannot accept path "${excerpt(path)}": ${found}`, { path: `/${path}` });
}

function symlinkError(link: string, target: string, rule: ErrorRule, found: string): PeipkgError {
  const message = `cannot accept the target "${excerpt(target)}" of symlink "${excerpt(link)}": ${found}`;
  return ruleError(rule, message, { path: `/${link}` });
}
