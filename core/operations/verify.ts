/**
 * Compares what is recorded with what is on disk (T-VRFY). Changes nothing, follows no link, and goes on after an
 * object it cannot read. Files are hashed through one reused buffer, and a directory stays open while consecutive
 * paths lie in it, because rows come in path order.
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import { createSha256, expectSha256, sha256Hex } from "../format/hash.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { Database } from "../store/database.ts";
import { type InstalledFile, iterateFiles, readInstalledPackages } from "../store/installed.ts";
import { describedComponents } from "../format/descriptor_reader.ts";
import { type ClaimLink, readClaimLinks, readHolders, readSdOverrides, type SdOverride } from "../store/roles.ts";
import type { Directory, FileStatus, RootDirectory } from "../system.ts";
import { openOrphanTest } from "./orphans.ts";
import { selectNames } from "./patterns.ts";
import { haveSameComponents } from "./security_comparison.ts";
import type { Workspace } from "./workspace.ts";

/** What is wrong with an object (C-VERIFY-04). */
export type VerifyKind = "modified" | "missing" | "unreadable" | "type" | "target";

/** One object that is not as recorded; `object` is what was recorded and decides the wording. */
export interface VerifyProblem {
  readonly package: string;
  readonly path: string;
  readonly kind: VerifyKind;
  readonly object: "file" | "dir" | "symlink" | "claim-link" | "descriptor";
  /** Recorded hash or link text. */
  readonly expected?: string;
  /** Hash or link text found, or the type found. */
  readonly actual?: string;
}

/** What was checked and what was found, by package and path. */
export interface VerifyReport {
  readonly packages: number;
  /** Recorded paths and links checked. */
  readonly files: number;
  readonly problems: readonly VerifyProblem[];
}

export interface VerifyOptions {
  /** Whether each object exists and has its type, and nothing else (C-CHECK-01 `--quick`). */
  readonly presenceOnly?: boolean;
}

const BUFFER_BYTES = 1024 * 1024;
/** How long reading may keep the event loop from seeing a signal. */
const YIELD_MILLISECONDS = 100;
const WRITABLE_BY_OTHERS = 0o002;
const SET_ID_BITS = 0o6000;

/**
 * Checks installed packages against the disk.
 *
 * @param names Names or patterns; empty: every package.
 * @param options How much of each object is compared.
 * @throws {PeipkgError} `not-installed` (`E_NOT_INSTALLED`) before anything is checked, `interrupted`
 * @see T-VRFY-01 … T-VRFY-10, C-VERIFY-01
 */
export async function verifyInstalled(
  workspace: Workspace,
  names: readonly string[],
  { presenceOnly = false }: VerifyOptions = {},
): Promise<VerifyReport> {
  // Valid beyond the call: the run's snapshot stays open until the run writes, which nothing here does.
  const database = workspace.read((snapshot) => snapshot);
  const installed = database === undefined ? [] : readInstalledPackages(database);
  const chosen = new Set<string>(selectNames(installed.map(({ name }) => name), names)); // T-VRFY-07
  if (database === undefined) return { packages: 0, files: 0, problems: [] };
  await workspace.warnOfPending(true);
  const isOrphaned = openOrphanTest(workspace, database);
  const links = linksByHolder(database);
  if (!presenceOnly) expectSha256(deliveredSizes(database, chosen));
  using inspector = new Inspector(workspace, presenceOnly);
  const problems: VerifyProblem[] = [];
  let step = 0;
  for (const { name, version, origin } of installed) {
    if (!chosen.has(name)) continue;
    workspace.session.emit({
      kind: "progress",
      phase: "verify",
      step: ++step,
      steps: chosen.size,
      subject: name,
      version: version.raw,
    });
    if (isOrphaned(origin)) {
      workspace.warn({
        rule: "W_ORPHANED",
        text: `${name} is orphaned: ${origin} is no longer configured or trusted; check it before relying on it`,
      });
    }
    problems.push(...await inspector.checkPackage(name, iterateFiles(database, name), links.get(name) ?? []));
    if (!presenceOnly) problems.push(...inspector.checkDescriptors(readSdOverrides(database, name)));
  }
  return { packages: chosen.size, files: inspector.checked, problems: problems.sort(compareProblems) };
}

function* deliveredSizes(database: Database, names: Iterable<string>): Generator<number> {
  for (const name of names) {
    for (const { sizeBytes = 0 } of iterateFiles(database, name)) yield sizeBytes;
  }
}

function linksByHolder(database: Database): ReadonlyMap<string, readonly ClaimLink[]> {
  const roles = new Map(readHolders(database).map(({ role, holder }) => [role, holder]));
  const links = new Map<string, ClaimLink[]>();
  for (const link of readClaimLinks(database)) {
    const holder = roles.get(link.role);
    if (holder === undefined) continue;
    const known = links.get(holder);
    if (known === undefined) links.set(holder, [link]);
    else known.push(link);
  }
  return links;
}

function compareProblems(a: VerifyProblem, b: VerifyProblem): number {
  return compareBytes(a.package, b.package) || compareBytes(a.path, b.path);
}

/** Why an object could not be looked at. */
type Obstacle = "missing" | "unreadable";

/** How an object differs from what is recorded. */
type Difference = Pick<VerifyProblem, "kind" | "expected" | "actual">;

/** Looks at objects one after the other, keeping the buffer and the directory of the last one. */
class Inspector implements Disposable {
  readonly #workspace: Workspace;
  readonly #root: RootDirectory;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #presenceOnly: boolean;
  #directoryPath: string | undefined;
  #directory: Directory | Obstacle = "missing";
  #yieldAt: number;
  checked = 0;

  constructor(workspace: Workspace, presenceOnly: boolean) {
    this.#presenceOnly = presenceOnly;
    this.#workspace = workspace;
    this.#root = workspace.root;
    this.#yieldAt = workspace.session.system.monotonic() + YIELD_MILLISECONDS;
  }

  async checkPackage(
    name: string,
    files: Iterable<InstalledFile>,
    links: readonly ClaimLink[],
  ): Promise<readonly VerifyProblem[]> {
    const problems: VerifyProblem[] = [];
    for (const file of files) {
      const { session } = this.#workspace;
      if (session.system.monotonic() >= this.#yieldAt) {
        await session.system.sleep(0);
        this.#yieldAt = session.system.monotonic() + YIELD_MILLISECONDS;
      }
      session.signal.throwIfAborted();
      this.checked++;
      const { path, type } = file;
      const difference = this.#look(path, (directory, base) => this.#compareFile(directory, base, name, file));
      if (difference !== undefined) problems.push({ package: name, path, object: type, ...difference });
    }
    for (const link of links) {
      this.checked++;
      const { path } = link;
      const expected = relativeTarget(path, link.target);
      const difference = this.#look(path, (directory, base) => compareLink(directory, base, expected));
      if (difference === undefined || (difference.kind === "missing" && link.isVolatile)) continue; // C-VOL-01
      problems.push({ package: name, path, object: "claim-link", expected, ...difference });
    }
    return problems;
  }

  /** T-VRFY-05: only where a kernel enforces descriptors, and only those that were applied. */
  checkDescriptors(overrides: readonly SdOverride[]): readonly VerifyProblem[] {
    for (const { state, package: name, path } of overrides) {
      if (state !== "not-applied") continue; // A-SDA-32
      this.#workspace.warn({
        rule: "W_UNVERIFIED",
        text: `the security descriptor ${name} declares for ${path} was not applied`,
      });
    }
    if (!this.#root.hasKacs) return [];
    return overrides.filter((override) => override.state === "applied" && this.#hasOtherDescriptor(override))
      .map(({ package: name, path }) => ({ package: name, path, kind: "modified", object: "descriptor" }));
  }

  [Symbol.dispose](): void {
    if (typeof this.#directory === "object") this.#directory[Symbol.dispose]();
    this.#directory = "missing";
    this.#directoryPath = undefined;
  }

  /** Compares one object; a refused call is a finding, and the check goes on (T-VRFY-09). */
  #look(
    path: string,
    compare: (directory: Directory, base: string) => Difference | undefined,
  ): Difference | undefined {
    const directory = this.#parentOf(path);
    if (typeof directory === "string") return { kind: directory };
    try {
      return compare(directory, baseName(path));
    } catch (error) {
      if (error instanceof SystemCallError) return { kind: "unreadable" };
      throw error;
    }
  }

  #compareFile(directory: Directory, base: string, owner: string, file: InstalledFile): Difference | undefined {
    const { type, hash } = file;
    const status = directory.status(base);
    if (status === undefined) return { kind: "missing" };
    if (status.type !== type) return { kind: "type", actual: status.type }; // T-VRFY-01, T-VRFY-02, T-VRFY-03
    if (type === "dir" || this.#presenceOnly) return undefined;
    if (type === "symlink") {
      const target = directory.readLink(base);
      if (target === file.target) return undefined;
      return { kind: "target", actual: target, ...(file.target === undefined ? {} : { expected: file.target }) };
    }
    this.#warnOfMode(owner, file.path, status);
    const expected = hash === undefined ? {} : { expected: hash };
    if (status.sizeBytes !== file.sizeBytes) return { kind: "modified", ...expected };
    const actual = this.#hash(directory, base, status);
    return actual === hash ? undefined : { kind: "modified", ...expected, actual };
  }

  /** T-VRFY-08 */
  #warnOfMode(name: string, path: string, status: FileStatus): void {
    if ((status.mode & (WRITABLE_BY_OTHERS | SET_ID_BITS)) === 0 || this.#root.hasKacs) return;
    const found = (status.mode & WRITABLE_BY_OTHERS) !== 0 ? "is writable by others" : "has a set-id bit";
    this.#workspace.warn({ rule: "W_FILE_MODE", text: `${path} of ${name} ${found}` });
  }

  #hash(directory: Directory, base: string, status: FileStatus): string {
    const { sizeBytes } = status;
    if (sizeBytes <= BUFFER_BYTES) {
      return sha256Hex(this.#buffer.subarray(0, directory.readFile(base, this.#buffer, sizeBytes)));
    }
    using file = directory.openFile(base);
    const hash = createSha256();
    for (let offset = 0; offset < sizeBytes;) {
      const count = file.readAt(this.#buffer, offset);
      if (count === 0) break; // cut short while we read: the hash will differ
      hash.update(this.#buffer.subarray(0, count));
      offset += count;
    }
    return hash.hex();
  }

  #hasOtherDescriptor({ package: name, path, descriptor }: SdOverride): boolean {
    const directory = this.#parentOf(path);
    if (typeof directory === "string") return false; // its absence is reported already
    try {
      const stored = directory.readSecurity(baseName(path), describedComponents(descriptor));
      return !haveSameComponents(descriptor, stored);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      this.#workspace.warn({
        rule: "W_UNVERIFIED",
        text: `the security descriptor of ${path} of ${name} could not be read: ${error.errno}`,
      });
      return false;
    }
  }

  /** The directory a path lies in; a link on the way counts as absence, because links are not followed (T-VRFY-09). */
  #parentOf(path: string): Directory | Obstacle {
    const end = path.lastIndexOf("/");
    // Asked without making the text: consecutive paths mostly share their directory.
    if (this.#directoryPath?.length === end && path.startsWith(this.#directoryPath)) return this.#directory;
    const parent = path.slice(0, end) || "/";
    this[Symbol.dispose]();
    this.#directory = openParent(this.#root, parent);
    this.#directoryPath = parent;
    return this.#directory;
  }
}

function openParent(root: RootDirectory, path: string): Directory | Obstacle {
  try {
    return root.openDirectory(path) ?? "missing";
  } catch (error) {
    if (error instanceof PeipkgError) return error.detail.rule === "PATH_SYMLINK" ? "missing" : "unreadable";
    if (error instanceof SystemCallError) return "unreadable";
    throw error;
  }
}

/** T-VRFY-04 */
function compareLink(directory: Directory, base: string, expected: string): Difference | undefined {
  const status = directory.status(base);
  if (status === undefined) return { kind: "missing" };
  if (status.type !== "symlink") return { kind: "type", actual: status.type };
  const actual = directory.readLink(base);
  return actual === expected ? undefined : { kind: "target", actual };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Text of a claim link: its target relative to the directory it lies in (C-MAT-04). */
function relativeTarget(path: string, target: string): string {
  const from = path.split("/").slice(1, -1);
  const to = target.split("/").slice(1);
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  return [...from.slice(shared).map(() => ".."), ...to.slice(shared)].join("/");
}
