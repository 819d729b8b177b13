/**
 * Where an installation keeps its own things: the one place that spells these paths. A place is either logical,
 * reached from the root without following any link, or literal, opened like the root itself (C-GLOB-16).
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { openOrCreateDirectory } from "../fs/durable.ts";
import type { Directory, RootDirectory, System } from "../system.ts";
import type { PathSetting } from "./settings.ts";

/** What the operator said about places; a bare text is literal, as options and variables are (C-CONF-04). */
export interface Location {
  readonly root: string;
  readonly configDirectory?: string | PathSetting | undefined;
  readonly stateDirectory?: string | PathSetting | undefined;
  readonly cacheDirectory?: string | PathSetting | undefined;
}

/** `ROOT`, `CONFIG`, `STATE` and `CACHE` of one installation. */
export interface Layout {
  /** As the operator gave it. */
  readonly root: string;
  readonly config: PathSetting;
  readonly state: PathSetting;
  readonly cache: PathSetting;
}

const CONFIG_PATH = "/conf/peipkg";
const STATE_PATH = "/var/lib/peipkg";
/** Directory of the audit log, below the root (A-LOG-01). */
const AUDIT_LOG_PATH = "/var/log/peipkg";
/** Mode of `STATE`, `CACHE`, `CONFIG` and whatever is missing above them (T-DB-06, T-DB-17). */
export const PLACE_MODE = 0o755;

/** Decides where everything lies. */
export function resolveLayout(location: Location): Layout {
  const state = placeOf(location.stateDirectory) ?? { path: STATE_PATH, beneathRoot: true };
  return {
    root: location.root,
    config: placeOf(location.configDirectory) ?? { path: CONFIG_PATH, beneathRoot: true },
    state,
    cache: placeOf(location.cacheDirectory) ?? { path: childPath(state.path, "cache"), beneathRoot: state.beneathRoot },
  };
}

/** Path by which the host reaches a place; only for what opens by path and for messages. */
export function hostPath(layout: Layout, place: PathSetting): string {
  return place.beneathRoot ? childPath(layout.root, place.path.replace(/^\/+/, "")) : place.path;
}

/** Logical path of a place; `undefined` when it does not lie, by its name, inside the root. */
export function logicalPath(layout: Layout, place: PathSetting): string | undefined {
  if (place.beneathRoot) return place.path;
  const root = withoutTrailingSlash(layout.root);
  if (root === "/") return place.path.startsWith("/") ? place.path : undefined;
  return place.path === root ? "/" : place.path.startsWith(`${root}/`) ? place.path.slice(root.length) : undefined;
}

/** Whether the root is the running system's own: tools run, `/run` links are made (T-SIDE-04, C-VOL-03). */
export function isSystemRoot(layout: Layout): boolean {
  return withoutTrailingSlash(layout.root) === "/";
}

/** Logical paths no package may touch: the fixed ones, and where options put the places (T-COLL-15). */
export function reservedPaths(layout: Layout): readonly string[] {
  const moved = [layout.state, layout.cache, layout.config].map((place) => logicalPath(layout, place));
  const paths = [STATE_PATH, CONFIG_PATH, AUDIT_LOG_PATH, ...moved.filter((path) => path !== undefined)];
  return [...new Set(paths)];
}

/**
 * Opens a place.
 *
 * @returns A handle owned by the caller; `undefined` when it does not exist.
 * @throws {PeipkgError} `failed` (`PATH_SYMLINK`) when a component below the root is a link or no directory.
 */
export function openPlace(system: System, root: RootDirectory, place: PathSetting): Directory | undefined {
  if (place.beneathRoot) return root.openDirectory(place.path);
  using base = openLiteral(system, place.path);
  return base?.openDirectory("/");
}

/** Opens a place, creating it and whatever is missing above it (T-DB-17). The caller owns the handle. */
export function createPlace(system: System, root: RootDirectory, place: PathSetting, mode = PLACE_MODE): Directory {
  if (place.beneathRoot) {
    // Only the place itself may have a mode of its own; what leads to it stays open to readers.
    if (mode !== PLACE_MODE) openOrCreateDirectory(root, parentPath(place.path), PLACE_MODE)[Symbol.dispose]();
    return openOrCreateDirectory(root, place.path, mode);
  }
  const missing: string[] = [];
  let path = withoutTrailingSlash(place.path);
  for (;;) {
    using base = openLiteral(system, path);
    if (base !== undefined) return openOrCreateDirectory(base, `/${missing.join("/")}`, mode);
    if (path === "/" || path === ".") {
      throw new PeipkgError("no-root", `cannot open "${place.path}": it does not exist`);
    }
    missing.unshift(path.slice(path.lastIndexOf("/") + 1));
    path = parentPath(path);
  }
}

/** The place one level up, e.g. to sync it after the place was created. */
export function parentPlace(place: PathSetting): PathSetting {
  return { path: parentPath(withoutTrailingSlash(place.path)), beneathRoot: place.beneathRoot };
}

function openLiteral(system: System, path: string): RootDirectory | undefined {
  try {
    return system.openRoot(path);
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === "ENOENT") return undefined;
    if (error instanceof PeipkgError && error.code === "no-root") return undefined;
    throw error;
  }
}

function placeOf(place: string | PathSetting | undefined): PathSetting | undefined {
  if (typeof place === "string") return { path: withoutTrailingSlash(place), beneathRoot: false };
  return place === undefined ? undefined : { ...place, path: withoutTrailingSlash(place.path) };
}

function childPath(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${withoutTrailingSlash(path)}/${name}`;
}

/** `/a/b` → `/a`, `/a` → `/`, `a` → `.` */
function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

function withoutTrailingSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
