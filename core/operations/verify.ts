/**
 * Compares what is recorded with what is on disk (T-VRFY). Changes nothing, follows no link, and goes on after an
 * object it cannot read. Much is looked at by two threads; what is said, and in which order, does not depend on it.
 */
import { expectSha256 } from "../format/hash.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { Database } from "../store/database.ts";
import { type InstalledFile, iterateFiles, measureFiles, readInstalledPackages } from "../store/installed.ts";
import { describedComponents } from "../format/descriptor_reader.ts";
import { SystemCallError } from "../errors.ts";
import { type ClaimLink, readClaimLinks, readHolders, readSdOverrides, type SdOverride } from "../store/roles.ts";
import { baseName, FileInspector, type Finding, type VerifyKind } from "./file_inspector.ts";
import { openOrphanTest } from "./orphans.ts";
import { selectNames } from "./patterns.ts";
import { haveSameComponents } from "./security_comparison.ts";
import { type Part, VerifyThread } from "./verify_thread.ts";
import type { Workspace } from "./workspace.ts";

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
  /** For tests: the work from which a second thread helps. */
  readonly muchBytes?: number;
}

/** How long reading may keep the event loop from seeing a signal. */
const YIELD_MILLISECONDS = 100;
/** What looking at a file costs besides its content, in bytes that could be hashed meanwhile. */
const FILE_BYTES = 8 * 1024;
/** So much work is done between two looks at the clock. */
const LOOK_BYTES = 1024 * 1024;
/**
 * Work from which a second thread helps, some 250 ms of it. Starting one takes 40 ms, on both processors; below, an
 * operator whose machine has something else to do would wait longer.
 */
const MUCH_BYTES = 256 * 1024 * 1024;
/** A part is no longer than either: small enough that both threads end at about the same time. */
const PART_FILES = 128;
const PART_BYTES = 4 * 1024 * 1024;

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
  { presenceOnly = false, muchBytes = MUCH_BYTES }: VerifyOptions = {},
): Promise<VerifyReport> {
  // Valid beyond the call: the run's snapshot stays open until the run writes, which nothing here does.
  const database = workspace.read((snapshot) => snapshot);
  const installed = database === undefined ? [] : readInstalledPackages(database);
  const chosen = new Set<string>(selectNames(installed.map(({ name }) => name), names)); // T-VRFY-07
  if (database === undefined) return { packages: 0, files: 0, problems: [] };
  await workspace.warnOfPending(true);
  const isOrphaned = openOrphanTest(workspace, database);
  const links = linksByHolder(database);
  using thread = presenceOnly ? undefined : startThread(workspace, database, chosen, muchBytes);
  using verification = new Verification(workspace, database, links, { presenceOnly, thread });
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
    await verification.add(name, isOrphaned(origin) ? origin : undefined);
  }
  const { checked, problems } = await verification.finish();
  return { packages: chosen.size, files: checked, problems: problems.sort(compareProblems) };
}

/** A second thread where there is much to hash; the hash itself is got ready for both. */
function startThread(
  workspace: Workspace,
  database: Database,
  names: Iterable<string>,
  muchBytes: number,
): VerifyThread | undefined {
  let work = 0;
  let contentBytes = 0;
  for (const name of names) {
    const { files, bytes } = measureFiles(database, name);
    contentBytes += bytes;
    work += bytes + files * FILE_BYTES;
    if (work >= muchBytes) break;
  }
  const thread = work >= muchBytes ? VerifyThread.start(workspace.root) : undefined;
  expectSha256([contentBytes]);
  return thread;
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

/** One package on its way. */
interface PackageCheck {
  readonly name: string;
  /** Repository that is no longer trusted. */
  readonly lost: string | undefined;
  readonly parts: Part[];
  /** All of its paths are in parts. */
  isListed: boolean;
}

/** Packages one after the other; each is reported when all of it, and of those before it, has been looked at. */
class Verification implements Disposable {
  readonly #inspector: FileInspector;
  readonly #presenceOnly: boolean;
  readonly #thread: VerifyThread | undefined;
  readonly #queue: PackageCheck[] = [];
  readonly #problems: VerifyProblem[] = [];
  #checked = 0;
  #unlooked = 0;
  #yieldAt: number;

  constructor(
    private readonly workspace: Workspace,
    private readonly database: Database,
    private readonly links: ReadonlyMap<string, readonly ClaimLink[]>,
    { presenceOnly, thread }: { readonly presenceOnly: boolean; readonly thread: VerifyThread | undefined },
  ) {
    this.#inspector = new FileInspector(workspace.root, presenceOnly);
    this.#presenceOnly = presenceOnly;
    this.#thread = thread;
    this.#yieldAt = workspace.session.system.monotonic() + YIELD_MILLISECONDS;
  }

  async add(name: string, lost: string | undefined): Promise<void> {
    this.workspace.session.signal.throwIfAborted();
    const check: PackageCheck = { name, lost, parts: [], isListed: false };
    this.#queue.push(check);
    for (const part of partsOf(iterateFiles(this.database, name))) {
      this.#checked += part.files.length;
      check.parts.push(part);
      if (this.#thread?.offer(part) !== true) await this.#inspect(part);
    }
    check.isListed = true;
    this.#settle();
  }

  async finish(): Promise<{ readonly checked: number; readonly problems: VerifyProblem[] }> {
    const left = await this.#thread?.finish(this.workspace.session.signal) ?? [];
    for (const part of left) await this.#inspect(part);
    this.#settle();
    return { checked: this.#checked, problems: this.#problems };
  }

  [Symbol.dispose](): void {
    this.#inspector[Symbol.dispose]();
  }

  async #inspect(part: Part): Promise<void> {
    const { session } = this.workspace;
    const findings: Finding[] = [];
    for (const file of part.files) {
      this.#unlooked += FILE_BYTES + (file.sizeBytes ?? 0);
      if (this.#unlooked >= LOOK_BYTES) {
        this.#unlooked = 0;
        if (session.system.monotonic() >= this.#yieldAt) {
          await session.system.sleep(0);
          this.#yieldAt = session.system.monotonic() + YIELD_MILLISECONDS;
          session.signal.throwIfAborted();
        }
      }
      const finding = this.#inspector.inspect(file);
      if (finding !== undefined) findings.push(finding);
    }
    part.files = [];
    part.findings = findings;
  }

  #settle(): void {
    for (;;) {
      const [check] = this.#queue;
      if (check === undefined || !check.isListed) return;
      if (check.parts.some(({ findings }) => findings === undefined)) return;
      this.#queue.shift();
      this.#report(check);
    }
  }

  #report({ name, lost, parts }: PackageCheck): void {
    const { workspace } = this;
    if (lost !== undefined) {
      workspace.warn({
        rule: "W_ORPHANED",
        text: `${name} is orphaned: ${lost} is no longer configured or trusted; check it before relying on it`,
      });
    }
    for (const { findings = [] } of parts) {
      for (const { path, type, difference, mode } of findings) {
        if (mode !== undefined) workspace.warn({ rule: "W_FILE_MODE", text: `${path} of ${name} ${mode}` });
        if (difference !== undefined) this.#problems.push({ package: name, path, object: type, ...difference });
      }
    }
    for (const { path, target, isVolatile } of this.links.get(name) ?? []) {
      this.#checked++;
      const expected = relativeTarget(path, target);
      const difference = this.#inspector.inspectLink(path, expected);
      if (difference === undefined || (difference.kind === "missing" && isVolatile)) continue; // C-VOL-01
      this.#problems.push({ package: name, path, object: "claim-link", expected, ...difference });
    }
    if (!this.#presenceOnly) this.#checkDescriptors(readSdOverrides(this.database, name));
  }

  /** T-VRFY-05: only where a kernel enforces descriptors, and only those that were applied. */
  #checkDescriptors(overrides: readonly SdOverride[]): void {
    const { workspace } = this;
    for (const override of overrides) {
      const { state, package: name, path } = override;
      if (state === "not-applied") { // A-SDA-32
        workspace.warn({
          rule: "W_UNVERIFIED",
          text: `the security descriptor ${name} declares for ${path} was not applied`,
        });
      }
    }
    if (!workspace.root.hasKacs) return;
    for (const override of overrides) {
      if (override.state !== "applied" || !this.#hasOtherDescriptor(override)) continue;
      this.#problems.push({ package: override.package, path: override.path, kind: "modified", object: "descriptor" });
    }
  }

  #hasOtherDescriptor({ package: name, path, descriptor }: SdOverride): boolean {
    const directory = this.#inspector.parentOf(path);
    if (typeof directory === "string") return false; // its absence is reported already
    try {
      const stored = directory.readSecurity(baseName(path), describedComponents(descriptor));
      return !haveSameComponents(descriptor, stored);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      this.workspace.warn({
        rule: "W_UNVERIFIED",
        text: `the security descriptor of ${path} of ${name} could not be read: ${error.errno}`,
      });
      return false;
    }
  }
}

function* partsOf(files: Iterable<InstalledFile>): Generator<Part> {
  let some: InstalledFile[] = [];
  let bytes = 0;
  for (const file of files) {
    some.push(file);
    bytes += file.sizeBytes ?? 0;
    if (some.length < PART_FILES && bytes < PART_BYTES) continue;
    yield { files: some, findings: undefined };
    some = [];
    bytes = 0;
  }
  if (some.length > 0) yield { files: some, findings: undefined };
}

/** Text of a claim link: its target relative to the directory it lies in (C-MAT-04). */
function relativeTarget(path: string, target: string): string {
  const from = path.split("/").slice(1, -1);
  const to = target.split("/").slice(1);
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  return [...from.slice(shared).map(() => ".."), ...to.slice(shared)].join("/");
}
