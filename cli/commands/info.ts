/** `peipkg info` */
import {
  type AvailablePackage,
  describeOffers,
  fileRecord,
  formatTimestamp,
  type PackageDetail,
  packageDetail,
  type PackageRecord,
  PeipkgError,
  type RecordList,
  searchCatalogue,
  type Workspace,
} from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import type { Invocation } from "../invocation.ts";
import { isPackageFile, readPackageName } from "../operands.ts";
import { field, renderRecord } from "../render/listing.ts";
import { renderSize } from "../render/sizes.ts";
import { packageDocument } from "./list.ts";
import { availableDocument, fileDocument } from "./search.ts";

/** What one operand was answered with. */
interface Answer {
  readonly document: unknown;
  readonly lines: readonly string[];
}

/** `PackageDetail` of cli.md 6.2. */
export function detailDocument(detail: PackageDetail): Readonly<Record<string, unknown>> {
  return {
    ...packageDocument(detail),
    license: detail.license,
    homepage: detail.homepage,
    dependencies: detail.dependencies,
    optional_dependencies: detail.optionalDependencies,
    conflicts: detail.conflicts,
    provides: detail.provides,
    replaces: detail.replaces,
    required_by: detail.requiredBy,
    roles: detail.roles,
    annotations: Object.fromEntries(detail.annotations.map(({ tag, value }) => [tag, value])),
    files: detail.fileCount,
    build: {
      timestamp: detail.build.timestamp,
      farm_id: detail.build.farmId,
      source_ref: detail.build.sourceRef,
    },
    package_hash: detail.packageHash,
    sd_overrides: detail.sdOverrides.map(({ path, state }) => ({ path, state })),
    alternate_upgrade: detail.alternateUpgrade,
  };
}

function originText({ origin, isOrphaned }: PackageDetail): string {
  if (origin === undefined) return "(local file)";
  return isOrphaned ? `${origin} (orphaned — no longer configured)` : origin;
}

/** The record of C-INFO-01, and with detail that of C-INFO-02. */
function detailLines(detail: PackageDetail, isVerbose: boolean): readonly string[] {
  const { build } = detail;
  const more: readonly (readonly [string, readonly string[]])[] = [
    field("size", renderSize(detail.sizeInstalledBytes)),
    ["depends", detail.dependencies],
    ["optional", detail.optionalDependencies],
    ["conflicts", detail.conflicts],
    ["provides", detail.provides],
    ["replaces", detail.replaces],
    ["required-by", detail.requiredBy],
    ["roles", detail.roles],
    field("built", [build.timestamp, build.farmId, build.sourceRef].filter((part) => part !== "").join(" ")),
    field("marked", detail.isAutomatic ? "auto" : "manual"),
    field("locked", detail.isLocked ? "yes" : undefined),
    ["annotations", detail.annotations.map(({ tag, value }) => `${tag} ${value}`)],
  ];
  return renderRecord([
    field("name", detail.name),
    field("version", detail.version),
    field("architecture", detail.architecture),
    field("origin", originText(detail)),
    field("installed", formatTimestamp(detail.installedAt)),
    field("description", detail.description),
    field("license", detail.license),
    field("homepage", detail.homepage),
    ["descriptors", detail.sdOverrides.map(({ path, state }) => `${path} ${state.replace("-", " ")}`)],
    ...(isVerbose ? more : []),
  ]);
}

function availableLines(item: AvailablePackage): readonly string[] {
  return renderRecord([
    field("name", item.name),
    field("version", item.version),
    field("architecture", item.architecture),
    field("repository", item.repository),
    field("installed", item.installedVersion),
    field("description", item.description),
    field("license", item.license),
    field("homepage", item.homepage),
    field("size", renderSize(item.sizeInstalledBytes)),
    field("download", renderSize(item.sizeDownloadBytes)),
  ]);
}

/** The record of a package file (C-INFO-04): of what is recorded at installation there is nothing yet. */
function fileLines(record: PackageRecord, isVerbose: boolean): readonly string[] {
  const relations = (list: RecordList): readonly string[] =>
    record.list(list).map(({ name, version }) => [name, version].filter((part) => part !== "").join(" "));
  const more: readonly (readonly [string, readonly string[]])[] = [
    field("size", renderSize(record.sizeInstalledBytes)),
    ["depends", relations("dependencies")],
    ["optional", relations("optional")],
    ["conflicts", relations("conflicts")],
    ["provides", relations("provides")],
    ["replaces", relations("replaces")],
  ];
  return renderRecord([
    field("name", record.name),
    field("version", record.version),
    field("architecture", record.architecture),
    field("origin", "(local file)"),
    field("description", record.description),
    field("license", record.license),
    field("homepage", record.homepage),
    ...(isVerbose ? more : []),
  ]);
}

function offersOf(workspace: Workspace, name: string): readonly AvailablePackage[] {
  return describeOffers(workspace, searchCatalogue(workspace, name, { fields: "name", match: "exact" }));
}

/** C-INFO-03: a name that is not installed but on offer gets a hint where to look. */
function requireDetail(workspace: Workspace, name: string): PackageDetail {
  try {
    return packageDetail(workspace, name);
  } catch (error) {
    if (!(error instanceof PeipkgError) || error.code !== "not-installed" || !isOffered(workspace, name)) throw error;
    const hint = `it is available; see 'peipkg search ${name}'`;
    throw new PeipkgError(error.code, error.message, { ...error.detail, hint });
  }
}

function isOffered(workspace: Workspace, name: string): boolean {
  try {
    return offersOf(workspace, name).length > 0;
  } catch {
    return false; // a broken repository file has no say in what is installed
  }
}

function showAnswers({ args, screen }: Invocation, answers: readonly Answer[]): void {
  const documents = answers.map(({ document }) => document);
  screen.document(args.operands.length > 1 || documents.length !== 1 ? documents : documents[0]);
  for (const [index, { lines }] of answers.entries()) {
    if (index > 0) screen.line("");
    screen.lines(lines);
  }
}

function answerOffers(workspace: Workspace, name: string): readonly Answer[] {
  const offers = offersOf(workspace, name);
  if (offers.length === 0) {
    throw new PeipkgError("unresolvable", `no repository offers a package named "${name}"`, {
      rule: "E_NO_CANDIDATE",
      reason: "no-candidate",
    });
  }
  return offers.map((offer) => ({ document: availableDocument(offer), lines: availableLines(offer) }));
}

async function answerInstalled(workspace: Workspace, operand: string, isVerbose: boolean): Promise<Answer> {
  if (isPackageFile(operand)) {
    const record = await fileRecord(workspace, operand);
    return { document: fileDocument(record), lines: fileLines(record, isVerbose) };
  }
  const detail = requireDetail(workspace, operand);
  return { document: detailDocument(detail), lines: detailLines(detail, isVerbose) };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { operands } = args;
  const isAvailable = hasFlag(args.options, "available");
  const asksExistence = hasFlag(args.options, "exists");
  for (const operand of operands) {
    if (isAvailable || asksExistence || !isPackageFile(operand)) readPackageName(args, operand);
  }
  const workspace = await invocation.workspace();
  if (asksExistence) return operands.every((name) => isInstalled(workspace, name)) ? 0 : 1;
  const answers: Answer[] = [];
  for (const operand of operands) {
    if (isAvailable) answers.push(...answerOffers(workspace, operand));
    else answers.push(await answerInstalled(workspace, operand, screen.mode.verbose > 0));
  }
  showAnswers(invocation, answers);
  return 0;
}

function isInstalled(workspace: Workspace, name: string): boolean {
  try {
    packageDetail(workspace, name);
    return true;
  } catch (error) {
    if (error instanceof PeipkgError && error.code === "not-installed") return false;
    throw error;
  }
}
