/** A real root with packages recorded and their files on disk, as a committed installation would have left it. */
import { realSystem } from "../../../core/runtime.ts";
import { openWorkspace, type Workspace } from "../../../core/operations/workspace.ts";
import { sha256Hex } from "../../../core/format/hash.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import type { Database } from "../../../core/store/database.ts";
import {
  insertFiles,
  insertPackage,
  type InstalledFile,
  type PackageRecord,
  type PackageRelation,
} from "../../../core/store/installed.ts";
import type { ProgressEvent } from "../../../core/events.ts";
import { SystemCallError } from "../../../core/errors.ts";
import type { RootDirectory, System } from "../../../core/system.ts";
import { sessionOf, STARTED_AT } from "../store/support.ts";

/** What one package puts on disk: text of a file, `{ link }`, or `"dir"`. */
export type Content = { readonly text: string } | { readonly link: string } | "dir";

export interface PackageInput {
  readonly name: string;
  readonly version?: string;
  readonly origin?: string | undefined;
  readonly reason?: "explicit" | "dependency";
  readonly isHeld?: boolean;
  /** Fields of the manifest beside the required ones. */
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly files?: Readonly<Record<string, Content>>;
}

export interface InstallationFixture extends Disposable {
  readonly rootPath: string;
  readonly workspace: Workspace;
  readonly events: readonly ProgressEvent[];
  /** Lines of the audit log so far. */
  audited(): readonly Readonly<Record<string, unknown>>[];
  readonly abort: AbortController;
  /** Records packages and writes their files. */
  install(...packages: readonly PackageInput[]): Promise<void>;
  /** Runs work under the writer lock. */
  change(work: (database: Database) => void): Promise<void>;
  warnings(): readonly string[];
}

const REQUIRED = {
  build: { farm_id: "test", source_ref: "0123456", timestamp: "2026-05-19T14:02:10Z" },
  conflicts: [],
  dependencies: [],
  license: "MIT",
  schema_version: 1,
  size_installed: 4096,
};

export function openInstallation(options: { readonly system?: (real: System) => System } = {}): InstallationFixture {
  const rootPath = Deno.makeTempDirSync({ prefix: "peipkg-operations-" });
  const real = realSystem();
  const system = options.system?.(real) ?? real;
  const events: ProgressEvent[] = [];
  const abort = new AbortController();
  const session = { ...sessionOf({ ...fixedClock(system) }, events), signal: abort.signal };
  const input = {
    options: new Map([["root", rootPath], ["architecture", "x86_64"]]),
    overrides: [],
    environment: new Map<string, string>(),
    version: "0.1.0",
  };
  const workspace = openWorkspace(session, input);
  const change = (work: (database: Database) => void) =>
    workspace.write((database) => database.write(() => work(database)));
  return {
    rootPath,
    workspace,
    events,
    audited: () => readLog(`${rootPath}/var/log/peipkg/audit.jsonl`),
    abort,
    change,
    async install(...packages) {
      await change((database) => {
        for (const input of packages) {
          insertPackage(database, recordOf(input));
          insertFiles(database, input.name, rowsOf(input));
        }
      });
      for (const { files = {} } of packages) {
        for (const [path, content] of Object.entries(files)) putOnDisk(`${rootPath}${path}`, content);
      }
    },
    warnings: () => events.flatMap((event) => event.kind === "warning" ? [event.warning.rule] : []),
    [Symbol.dispose]() {
      workspace[Symbol.dispose]();
      real[Symbol.dispose]();
      Deno.removeSync(rootPath, { recursive: true });
    },
  };
}

/** Writes a repository file into the fixture's configuration. */
export function configure(fixture: InstallationFixture, handle: string, lines: readonly string[] = []): void {
  const directory = `${fixture.rootPath}/conf/peipkg`;
  Deno.mkdirSync(directory, { recursive: true });
  const text = ['base_url = "https://packages.example"', ...lines, ""].join("\n");
  Deno.writeTextFileSync(`${directory}/${handle}.repo`, text);
}

function readLog(path: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    return Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function fixedClock(system: System): System {
  return {
    now: () => STARTED_AT,
    monotonic: () => system.monotonic(),
    randomBytes: (count) => system.randomBytes(count),
    sleep: (milliseconds, signal) => system.sleep(milliseconds, signal),
    fetch: (request) => system.fetch(request),
    openRoot: (path) => system.openRoot(path),
    openFile: (path) => system.openFile(path),
    runTool: (tool) => system.runTool(tool),
    emitKernelEvent: (type, payload) => system.emitKernelEvent(type, payload),
    machine: system.machine,
  };
}

function recordOf(input: PackageInput): PackageRecord {
  const manifest: Record<string, unknown> = {
    ...REQUIRED,
    architecture: "x86_64",
    description: `about ${input.name}`,
    name: input.name,
    version: input.version ?? "1.0-1",
    ...input.manifest,
  };
  return {
    name: parsePackageName(input.name),
    version: parseVersion(input.version ?? "1.0-1"),
    architecture: "x86_64",
    origin: input.origin,
    reason: input.reason ?? "explicit",
    isHeld: input.isHeld ?? false,
    installedAt: STARTED_AT / 1000,
    installedTransaction: 1,
    packageHash: "a".repeat(64),
    manifestText: JSON.stringify(manifest),
    relations: relationsOf(manifest),
  };
}

function relationsOf(manifest: Readonly<Record<string, unknown>>): readonly PackageRelation[] {
  const fields = [
    ["dependencies", "dependency"],
    ["optional_dependencies", "optional"],
    ["conflicts", "conflict"],
    ["provides", "provides"],
    ["replaces", "replaces"],
  ] as const;
  return fields.flatMap(([field, kind]) => {
    const entries = manifest[field];
    return Array.isArray(entries) ? entries.map(({ name }: { name: string }) => ({ kind, name })) : [];
  });
}

function rowsOf({ files = {} }: PackageInput): readonly InstalledFile[] {
  return Object.entries(files).map(([path, content]) => {
    const row = { path, preservedHash: undefined, newDefaultOf: undefined };
    if (content === "dir") return { ...row, type: "dir", sizeBytes: undefined, hash: undefined, target: undefined };
    if ("link" in content) {
      return { ...row, type: "symlink", sizeBytes: undefined, hash: undefined, target: content.link };
    }
    const bytes = new TextEncoder().encode(content.text);
    return { ...row, type: "file", sizeBytes: bytes.length, hash: sha256Hex(bytes), target: undefined };
  });
}

function putOnDisk(path: string, content: Content): void {
  if (content === "dir") return Deno.mkdirSync(path, { recursive: true });
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  if ("link" in content) Deno.symlinkSync(content.link, path);
  else Deno.writeTextFileSync(path, content.text);
}

/** A system whose methods keep their receiver when it is spread into another. */
export function bound(system: System): System {
  return fixedClock(system);
}

/** A root in which no file of that name can be opened for reading. */
export function refuseReading(root: RootDirectory, name: string): RootDirectory {
  return wrap(root, (key, result) => key === "openDirectory" ? refuseFile(result, name) : result);
}

function refuseFile(directory: unknown, name: string): unknown {
  if (typeof directory !== "object" || directory === null) return directory;
  return new Proxy(directory, {
    get(target, key) {
      if (key === "openFile" || key === "readFile") {
        return (wanted: string, ...rest: readonly unknown[]) => {
          if (wanted === name) throw new SystemCallError("EIO", "openat", wanted);
          return Reflect.get(target, key).call(target, wanted, ...rest);
        };
      }
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function wrap<Target extends object>(
  target: Target,
  change: (key: string | symbol, result: unknown) => unknown,
): Target {
  return new Proxy(target, {
    get(inner, key) {
      const value = Reflect.get(inner, key);
      return typeof value === "function" ? (...args: unknown[]) => change(key, value.apply(inner, args)) : value;
    },
  });
}
