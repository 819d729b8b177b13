/**
 * A system in memory with a real database: packages made from a few lines, transactions run by the product's own
 * code, and a restart that keeps only what a dead process leaves.
 */
import { createHash } from "node:crypto";
import { readDescriptor } from "../../../core/format/descriptor_reader.ts";
import type { Manifest } from "../../../core/format/manifest.ts";
import { writeManifest } from "../../../core/format/manifest_writer.ts";
import type { Relations } from "../../../core/format/relations.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseSafePath } from "../../../core/identity/safe_path.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import { parseVirtualName } from "../../../core/identity/virtual_name.ts";
import type { Cause, InstallReason, Operation, Plan } from "../../../core/resolver/plan.ts";
import { realSystem } from "../../../core/runtime.ts";
import { Database, type StateDirectory } from "../../../core/store/database.ts";
import { readInstalledPackage } from "../../../core/store/installed.ts";
import type { Directory, RootDirectory, Session } from "../../../core/system.ts";
import { renderSddl } from "../../../core/transaction/descriptor_display.ts";
import { executeTransaction } from "../../../core/transaction/execute.ts";
import {
  type ClaimRequest,
  type ContentEntry,
  type ContentSource,
  NO_CLAIM_REQUEST,
  type TransactionInput,
  type TransactionOptions,
  type TransactionReport,
} from "../../../core/transaction/input.ts";
import { recoverPending, type RecoveryContext } from "../../../core/transaction/recover.ts";
import { descriptor } from "../../support/descriptors.ts";
import { FaultControl } from "../../support/fault_root.ts";
import { type TestSession, testSession, TestSystem } from "../../support/fault_system.ts";
import type { MemoryNode } from "../../support/memory_tree.ts";
import { MemoryFileSystem, memoryFileSystem, type MemoryOptions } from "../../support/memory_root.ts";
import { snapshotTree, type TreeContent, writeTree } from "../../support/tree_snapshot.ts";

export const STARTED_AT = 1_767_323_045_000;
const BUILD_SECONDS = 1_700_000_000;
const STATE_PATH = "/var/lib/peipkg";

/** Content of a package: text, a link, or (with a trailing `/`) a directory. */
export type PayloadSpec = Readonly<Record<string, string | { readonly link: string } | null>>;

/** A slot: `path` alone for a consumer, `target` (and perhaps `path`) for a provider. */
export interface SlotSpec {
  readonly path?: string;
  readonly target?: string;
}

export interface PackageSpec {
  readonly name: string;
  readonly version?: string;
  readonly files: PayloadSpec;
  readonly provides?: Readonly<Record<string, Readonly<Record<string, SlotSpec>>>>;
  readonly depends?: Readonly<Record<string, Readonly<Record<string, SlotSpec>>>>;
  readonly optional?: Readonly<Record<string, Readonly<Record<string, SlotSpec>>>>;
  readonly sideEffects?: readonly ("ldconfig" | "depmod" | "man-db")[];
  readonly repository?: string | null;
  readonly official?: boolean;
  /** Descriptor by payload path without a leading slash; a list declares empty ones. */
  readonly sdOverrides?: readonly string[] | Readonly<Record<string, Uint8Array>>;
}

/** One line of a plan. */
export type Step =
  | {
    readonly kind: "install";
    readonly package: PackageSpec;
    readonly cause?: Cause;
    readonly reason?: InstallReason;
    readonly requested?: boolean;
    readonly replaces?: readonly string[];
  }
  | { readonly kind: "upgrade" | "downgrade" | "reinstall"; readonly package: PackageSpec }
  | { readonly kind: "remove"; readonly name: string; readonly cause?: Cause };

export interface RunOptions extends Partial<TransactionOptions> {
  readonly kind?: TransactionInput["kind"];
  readonly undoOf?: number;
  readonly claims?: Partial<ClaimRequest>;
  readonly ask?: TransactionInput["ask"];
  readonly contents?: ReadonlyMap<string, ContentSource>;
  readonly signal?: AbortSignal;
  readonly isSystemRoot?: boolean;
  readonly audit?: TransactionInput["audit"];
}

const DEFAULT_OPTIONS: TransactionOptions = {
  overwriteUnowned: false,
  modified: "ask",
  modifiedDecisions: new Map(),
  sdOverrides: "apply",
  allowCritical: false,
  sideEffects: "auto",
  keepTransactions: 3,
  keepDays: 14,
  dropinDirectories: [],
  reservedPaths: [],
};

export interface WorldOptions extends MemoryOptions {
  readonly tree?: Readonly<Record<string, TreeContent>>;
  /** Empty directories that are file systems of their own. */
  readonly mounts?: readonly string[];
}

/** See the file comment. */
export class World implements Disposable {
  fileSystem: MemoryFileSystem;
  readonly system: TestSystem;
  session: TestSession;
  readonly #real = realSystem();
  readonly #directory: string;
  readonly #stateRoot: RootDirectory;
  #database: Database | undefined;
  #root: RootDirectory | undefined;
  #state: Directory | undefined;
  #storeHandles: Disposable[] = [];

  constructor(options: WorldOptions = {}) {
    const base = hasSharedMemory() ? { dir: "/dev/shm" } : {};
    this.#directory = Deno.makeTempDirSync({ prefix: "peipkg-world-", ...base });
    Deno.mkdirSync(`${this.#directory}/state`);
    this.#stateRoot = this.#real.openRoot(this.#directory);
    this.fileSystem = memoryFileSystem(options);
    this.fileSystem.setFileSystem(this.fileSystem.tree.root.device, { availableBytes: 2 ** 40 });
    this.system = new TestSystem({ now: STARTED_AT, machine: { euid: options.euid ?? 0 } });
    this.session = testSession(this.system);
    using root = this.fileSystem.open("/");
    writeTree(root, { [`${STATE_PATH}/`]: "", "/usr/bin/": "", "/etc/": "", "/run/": "", ...options.tree });
    for (const path of options.mounts ?? []) this.fileSystem.mount(path, { availableBytes: 2 ** 40 });
  }

  /** The database, opened when first needed. */
  get database(): Database {
    this.#database ??= this.#openDatabase();
    return this.#database;
  }

  get root(): RootDirectory {
    this.#root ??= this.fileSystem.open("/");
    return this.#root;
  }

  get state(): Directory {
    this.#state ??= this.root.openDirectory(STATE_PATH);
    if (this.#state === undefined) throw new Error("no state directory");
    return this.#state;
  }

  /** Puts every later call, of the file system and of the database, under a control. */
  control(control: FaultControl): void {
    this.#closeRoot();
    const database = this.database;
    const { onCall } = control;
    control.onCall = () => {};
    this.#root = this.fileSystem.open("/", control);
    void this.state; // opened by whoever takes the lock, before the transaction begins
    control.onCall = onCall;
    control.calls = 0;
    controlDatabase(database, control);
  }

  /** A new process over what the old one left; with a seed, after a power cut. */
  restart(powerCutSeed?: number): void {
    this.#closeRoot();
    this.#closeDatabase();
    this.fileSystem = powerCutSeed === undefined ? this.fileSystem.restart() : this.fileSystem.powerCut(powerCutSeed);
    this.session = testSession(this.system);
  }

  /** Saves the database so that `load()` can go back to it. */
  save(): { readonly files: ReadonlyMap<string, Uint8Array> } {
    this.#closeDatabase();
    const files = new Map<string, Uint8Array>();
    for (const entry of Deno.readDirSync(`${this.#directory}/state`)) {
      files.set(entry.name, Deno.readFileSync(`${this.#directory}/state/${entry.name}`));
    }
    return { files };
  }

  load(saved: { readonly files: ReadonlyMap<string, Uint8Array> }): void {
    this.#closeDatabase();
    for (const entry of Deno.readDirSync(`${this.#directory}/state`)) {
      Deno.removeSync(`${this.#directory}/state/${entry.name}`);
    }
    for (const [name, bytes] of saved.files) {
      Deno.writeFileSync(`${this.#directory}/state/${name}`, bytes, { mode: 0o644 });
    }
  }

  async run(steps: readonly Step[], options: RunOptions = {}): Promise<TransactionReport> {
    return await executeTransaction(this.input(steps, options));
  }

  input(steps: readonly Step[], options: RunOptions = {}): TransactionInput {
    const contents = new Map(options.contents ?? []);
    for (const step of steps) {
      if (step.kind !== "remove" && !contents.has(step.package.name)) {
        contents.set(step.package.name, content(step.package));
      }
    }
    const { kind, undoOf, claims, ask, contents: _contents, signal, isSystemRoot, audit, ...settings } = options;
    const session: Session = signal === undefined ? this.session : { ...this.session, signal };
    return {
      session,
      root: this.root,
      isSystemRoot: isSystemRoot ?? true,
      state: { directory: this.state, logicalPath: STATE_PATH },
      database: this.database,
      audit: audit ?? (() => true),
      plan: this.#plan(steps),
      contents,
      kind: kind ?? "package",
      undoOf,
      claims: { ...NO_CLAIM_REQUEST, ...claims },
      options: { ...DEFAULT_OPTIONS, ...settings },
      restoreMarks: new Map(),
      operator: "{}",
      evidence: [],
      summary: steps.map((step) => step.kind === "remove" ? `remove ${step.name}` : `${step.kind} ${step.package.name}`)
        .join("; "),
      startedAt: STARTED_AT,
      ask: ask ?? ((question) =>
        Promise.resolve(
          question.kind === "modified"
            ? { kind: "modified", decision: "unavailable" }
            : { kind: "authorise", answer: "unavailable" },
        )),
    };
  }

  recoveryContext(): RecoveryContext {
    return {
      session: this.session,
      root: this.root,
      isSystemRoot: true,
      state: { directory: this.state, logicalPath: STATE_PATH },
      database: this.database,
      audit: () => true,
      keepTransactions: 3,
      keepDays: 14,
      sideEffects: "auto",
      startedAt: STARTED_AT,
    };
  }

  async recover(): Promise<Awaited<ReturnType<typeof recoverPending>>> {
    return await recoverPending(this.recoveryContext());
  }

  /** Everything below the root but the state directory. */
  tree(options: { readonly inodes?: boolean; readonly times?: boolean } = {}): Record<string, string> {
    using root = this.fileSystem.open("/");
    return snapshotTree(root, { ...options, except: [STATE_PATH] });
  }

  /** Descriptors by path, below everything but the state directory: as the kernel has them, or as stored. */
  securities(): Record<string, string> {
    const found: Record<string, string> = {};
    const visit = (path: string, node: MemoryNode): void => {
      if (path === STATE_PATH) return;
      const text = node.security === undefined ? "" : renderSddl(readDescriptor(node.security));
      const stored = node.attributes.get("security.peios.sd");
      if (text !== "") found[path] = text;
      if (stored !== undefined) found[path] = `stored ${renderSddl(readDescriptor(stored))}`;
      for (const [name, child] of node.entries) visit(`${path === "/" ? "" : path}/${name}`, child);
    };
    visit("/", this.fileSystem.tree.root);
    return found;
  }

  /** The rows that make up the package state, as text. */
  rows(): string {
    const read = (sql: string): unknown => this.database.statement(sql).all();
    return JSON.stringify([
      read("SELECT name, version, origin_repo, install_reason, held, package_hash FROM package ORDER BY name"),
      read("SELECT * FROM package_file ORDER BY package_name, path"),
      read("SELECT * FROM package_relation ORDER BY 1, 2, 3"),
      read("SELECT * FROM claim_holder ORDER BY role"),
      read("SELECT * FROM claim_link ORDER BY path"),
      read("SELECT path, package_name, hex(sd), state FROM sd_override ORDER BY path, package_name"),
    ]);
  }

  write(contents: Readonly<Record<string, TreeContent>>): void {
    using root = this.fileSystem.open("/");
    writeTree(root, contents);
  }

  /** Replaces a file's content in place, as an editor that keeps the inode would. */
  edit(path: string, text: string): void {
    this.remove(path);
    this.write({ [path]: text });
  }

  remove(path: string): void {
    using root = this.fileSystem.open("/");
    using parent = root.openDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
    parent?.unlink(path.slice(path.lastIndexOf("/") + 1));
  }

  [Symbol.dispose](): void {
    this.#closeRoot();
    this.#closeDatabase();
    this.#stateRoot[Symbol.dispose]();
    this.#real[Symbol.dispose]();
    Deno.removeSync(this.#directory, { recursive: true });
  }

  #openDatabase(): Database {
    const directory = this.#stateRoot.openDirectory("/state");
    const parent = this.#stateRoot.openDirectory("/");
    if (directory === undefined || parent === undefined) throw new Error("no state directory");
    this.#storeHandles.push(directory, parent);
    const state: StateDirectory = { directory, parent, path: `${this.#directory}/state`, hasKacs: false };
    return Database.openForWriting(this.session, state) ??
      Database.create(this.session, state, { primaryArchitecture: "x86_64", createdAt: STARTED_AT / 1000 });
  }

  #closeDatabase(): void {
    this.#database?.close();
    this.#database = undefined;
    for (const handle of this.#storeHandles) handle[Symbol.dispose]();
    this.#storeHandles = [];
  }

  #closeRoot(): void {
    this.#state = undefined;
    this.#root = undefined;
  }

  #plan(steps: readonly Step[]): Plan {
    return {
      kind: "plan",
      operations: steps.map((step) => this.#operation(step)),
      authorisations: [],
      heldBack: [],
      suggestions: [],
      marks: [],
      warnings: [],
    };
  }

  #operation(step: Step): Operation {
    const cause = "cause" in step && step.cause !== undefined ? step.cause : { kind: "requested" as const };
    if (step.kind === "remove") {
      return { kind: "remove", from: this.#installed(step.name), requested: cause.kind === "requested", cause };
    }
    const { name, version, repository } = step.package;
    const target = {
      name: parsePackageName(name),
      version: parseVersion(version ?? "1.0-1"),
      architecture: "x86_64" as const,
      origin: repository === null
        ? { kind: "local-file" as const, path: `${name}.peipkg` }
        : { kind: "repository" as const, repository: repository ?? "official", priority: 10 },
      hash: hashOf(`${name} ${version}`),
      sizeCompressedBytes: 1,
      sizeInstalledBytes: 1,
      url: `${name}.peipkg`,
    };
    const base = { target, reason: "explicit" as const, requested: true, cause };
    if (step.kind === "install") {
      return {
        ...base,
        kind: "install",
        reason: step.reason ?? "explicit",
        requested: step.requested ?? true,
        replaces: (step.replaces ?? []).map(parsePackageName),
      };
    }
    return { ...base, kind: step.kind, from: this.#installed(name), replaces: [] };
  }

  #installed(name: string) {
    const found = readInstalledPackage(this.database, name);
    if (found === undefined) throw new Error(`${name} is not installed`);
    return { name: found.name, version: found.version, architecture: found.architecture, origin: found.origin };
  }
}

/** SHA-256 of text, hex. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A package's content, held in memory. */
export function content(spec: PackageSpec): ContentSource {
  const manifest = manifestOf(spec);
  const payload = new Map<string, string | { readonly link: string } | null>();
  for (const [path, value] of Object.entries(spec.files)) {
    const plain = path.replace(/\/$/, "");
    for (let end = plain.indexOf("/", 1); end > 0; end = plain.indexOf("/", end + 1)) {
      payload.set(plain.slice(0, end), null);
    }
    payload.set(plain, path.endsWith("/") ? null : value);
  }
  const paths = [...payload.keys()].sort();
  const entries = paths.map((path): ContentEntry => {
    const value = payload.get(path) ?? null;
    const isFile = typeof value === "string";
    return {
      path,
      type: value === null ? "dir" : isFile ? "file" : "symlink",
      sizeBytes: isFile ? new TextEncoder().encode(value).length : 0,
      hash: isFile ? hashOf(value) : "",
      target: value !== null && !isFile ? value.link : "",
      mtimeSeconds: BUILD_SECONDS,
    };
  });
  return {
    name: spec.name,
    version: spec.version ?? "1.0-1",
    architecture: "x86_64",
    packageHash: hashOf(`${spec.name} ${spec.version}`),
    manifest,
    manifestText: new TextDecoder().decode(writeManifest(manifest)),
    entries,
    repository: spec.repository === null ? undefined : spec.repository ?? "official",
    official: spec.official ?? true,
    async replay(visitor, signal) {
      for (const [index, path] of paths.entries()) {
        await Promise.resolve();
        if (signal.aborted) throw signal.reason;
        const value = payload.get(path);
        if (typeof value !== "string" || !visitor.begin(index)) continue;
        const bytes = new TextEncoder().encode(value);
        // In two pieces, so that a file is seen unfinished.
        const middle = bytes.length >> 1;
        if (middle > 0) visitor.chunk(bytes.subarray(0, middle));
        visitor.chunk(bytes.subarray(middle));
        visitor.end();
      }
    },
  };
}

function manifestOf(spec: PackageSpec): Manifest {
  return {
    name: parsePackageName(spec.name),
    version: parseVersion(spec.version ?? "1.0-1"),
    architecture: "x86_64",
    description: `about ${spec.name}`,
    license: "MIT",
    homepage: "https://example.org/",
    defaultRoot: undefined,
    sideEffects: spec.sideEffects ?? [],
    sizeInstalledBytes: 1,
    sdOverrides: overridesOf(spec.sdOverrides ?? []),
    build: {
      timestamp: "2026-01-02T03:04:05Z",
      seconds: BUILD_SECONDS,
      farmId: "farm",
      sourceRef: "",
      sourcePackage: "",
    },
    specialSystemPackage: false,
    alternateUpgrade: "",
    ...relationsOf(spec),
  };
}

function overridesOf(overrides: NonNullable<PackageSpec["sdOverrides"]>): Manifest["sdOverrides"] {
  const pairs = Array.isArray(overrides)
    ? overrides.map((path: string) => [path, descriptor({})] as const)
    : Object.entries(overrides);
  return pairs.map(([path, bytes]) => ({ path: parseSafePath(path), descriptor: bytes }))
    .sort((a, b) => a.path < b.path ? -1 : 1);
}

function relationsOf(spec: PackageSpec): Relations {
  const claims = (slots: Readonly<Record<string, SlotSpec>>) =>
    Object.entries(slots).map(([slot, { path, target }]) => ({
      slot: parsePackageName(slot),
      path: path === undefined ? undefined : parseSafePath(path.slice(1)),
      target: target === undefined ? undefined : parseSafePath(target.slice(1)),
    }));
  const dependencies = (entries: PackageSpec["depends"]) =>
    Object.entries(entries ?? {}).map(([name, slots]) => ({
      name: parseVirtualName(name),
      constraint: undefined,
      root: undefined,
      claims: claims(slots),
    }));
  return {
    dependencies: dependencies(spec.depends),
    optionalDependencies: dependencies(spec.optional),
    conflicts: [],
    provides: Object.entries(spec.provides ?? {}).map(([name, slots]) => ({
      name: parseVirtualName(name),
      version: undefined,
      claims: claims(slots),
    })),
    replaces: [],
  };
}

/** Lets a control speak before every begin, statement and commit of a connection. */
function controlDatabase(database: Database, control: FaultControl): void {
  const { begin, commit, rollback } = Database.prototype;
  Object.assign(database, {
    begin() {
      control.enter("db-begin", "db.sqlite");
      begin.call(database);
    },
    commit() {
      control.enter("db-commit", "db.sqlite");
      return commit.call(database);
    },
    rollback() {
      // A dead process rolls nothing back; its connection simply goes away.
      if (!control.hasCrashed) rollback.call(database);
    },
  });
}

function hasSharedMemory(): boolean {
  try {
    return Deno.statSync("/dev/shm").isDirectory;
  } catch {
    return false;
  }
}
