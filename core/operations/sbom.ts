/**
 * The inventory of an installation as a document other tools read: SPDX 2.3 or CycloneDX 1.5. Packages come by name,
 * members in a fixed order, and identifiers are derived from the content, so that equal input gives equal bytes.
 */
import type { Manifest } from "../format/manifest.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { formatTimestamp } from "../identity/timestamp.ts";
import type { InstalledPackage as InstalledFacts } from "../resolver/problem.ts";
import { meets } from "../resolver/satisfaction.ts";
import type { Database } from "../store/database.ts";
import { readFiles, readInstalledPackages } from "../store/installed.ts";
import { profileOf } from "./inspect.ts";
import { InstalledSet, readInstalledManifest } from "./installed_set.ts";
import type { Inventory, InventoryItem } from "./inventory.ts";
import { writeNamedFile } from "./named_files.ts";
import { selectNames } from "./patterns.ts";
import { cycloneDocument } from "./sbom_cyclonedx.ts";
import { spdxDocument } from "./sbom_spdx.ts";
import type { Workspace } from "./workspace.ts";

export interface InventoryRequest {
  readonly format: "spdx" | "cyclonedx";
  /** Also every file with its SHA-256. */
  readonly files: boolean;
  /** Names or patterns; their closure is described. Empty: everything installed. */
  readonly names: readonly string[];
  /** Time of the document, seconds since the epoch; `undefined`: now. */
  readonly timestamp: number | undefined;
}

const FILE_MODE = 0o644;

/**
 * Describes the installed set, or the closure of the packages named.
 *
 * @returns The document, ready to be written as JSON.
 * @throws {PeipkgError} `not-installed`, `database`
 * @see C-SBOM-01
 */
export async function describeInventory(workspace: Workspace, request: InventoryRequest): Promise<unknown> {
  // Loaded here: the lists of identifiers are of no use to any other command.
  const { judgeLicence } = await import("./licence.ts");
  const inventory: Inventory = {
    created: formatTimestamp(request.timestamp ?? Math.floor(workspace.startedAt / 1000)),
    tool: workspace.session.version,
    items: workspace.read((database) =>
      database === undefined
        ? selectNames<never>([], request.names)
        : itemsOf(workspace, database, request, (license) => judgeLicence(license).kind)
    ),
  };
  return request.format === "spdx" ? spdxDocument(inventory) : cycloneDocument(inventory);
}

/** Writes a finished document into a file, replacing one that is there as a whole. */
export async function writeInventory(workspace: Workspace, path: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  await writeNamedFile(workspace.session, path, FILE_MODE, true, (file) => file.write(bytes));
}

function itemsOf(
  workspace: Workspace,
  database: Database,
  request: InventoryRequest,
  judge: (license: string) => InventoryItem["licenseKind"],
): readonly InventoryItem[] {
  const rows = readInstalledPackages(database);
  const named = selectNames(rows.map(({ name }) => name), request.names);
  const set = new InstalledSet(database, profileOf(workspace));
  const edges = closureOf(set, named);
  return rows.filter(({ name }) => edges.has(name)).flatMap((row) => {
    const manifest = readInstalledManifest(database, row.name, profileOf(workspace));
    if (manifest === undefined) return [];
    const files = request.files ? readFiles(database, row.name) : [];
    return [{
      name: row.name,
      version: row.version.raw,
      architecture: row.architecture,
      description: manifest.description,
      license: manifest.license,
      licenseKind: judge(manifest.license),
      homepage: homepageOf(manifest),
      origin: row.origin,
      packageHash: row.packageHash,
      purl: purlOf(row.name, row.version.raw, row.architecture),
      dependencies: edges.get(row.name) ?? [],
      isNamed: named.includes(row.name),
      files: files.flatMap(({ path, hash }) => hash === undefined ? [] : [{ path, hash }]),
    }];
  });
}

/** Packages reached from some names, each with what its dependencies are met by. */
function closureOf(set: InstalledSet, names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const edges = new Map<string, readonly string[]>();
  for (const pending = [...names]; pending.length > 0;) {
    const name = pending.pop() ?? "";
    const item = set.get(name);
    if (item === undefined || edges.has(name)) continue;
    const met = satisfiersOf(set, item);
    edges.set(name, met);
    pending.push(...met);
  }
  return edges;
}

function satisfiersOf(set: InstalledSet, item: InstalledFacts): readonly string[] {
  const met = new Set<string>();
  for (const entry of item.dependencies) {
    const named = set.get(entry.name);
    for (const other of named === undefined ? set.providersOf(entry.name) : [named, ...set.providersOf(entry.name)]) {
      if (other.name !== item.name && meets(entry, item.architecture, other)) met.add(other.name);
    }
  }
  return [...met].sort(compareBytes);
}

/** Both formats demand a URL where they take a homepage at all. */
function homepageOf({ homepage }: Manifest): string {
  return URL.canParse(homepage) ? homepage : "";
}

/** Percent-encoded as package URLs ask; an epoch's colon may stand. */
function purlOf(name: string, version: string, architecture: string): string {
  const encoded = encodeURIComponent(version).replaceAll("%3A", ":");
  return `pkg:generic/${encodeURIComponent(name)}@${encoded}?arch=${architecture}`;
}
