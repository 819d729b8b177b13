/** Inventories as SPDX 2.3 documents. */
import { sha256Hex } from "../format/hash.ts";
import { contentUuid, type Inventory, type InventoryItem } from "./inventory.ts";

const UNKNOWN = "NOASSERTION";
const DOCUMENT_ID = "SPDXRef-DOCUMENT";
const SHORT_HASH_DIGITS = 8;
const FILE_HASH_DIGITS = 32;

/** Builds the document. @see C-SBOM-01 */
export function spdxDocument(inventory: Inventory): unknown {
  const { created, tool, items } = inventory;
  const licenses = new Map(
    items.filter(({ licenseKind, license }) => licenseKind === "text" && license !== "")
      .map(({ license }) => [licenseReference(license), license] as const),
  );
  const content = {
    packages: items.map(packageOf),
    files: items.flatMap(filesOf),
    hasExtractedLicensingInfos: [...licenses].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([licenseId, extractedText]) => ({ licenseId, extractedText, name: extractedText })),
    relationships: items.flatMap(relationshipsOf),
  };
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: DOCUMENT_ID,
    name: "installed-packages",
    documentNamespace: `https://spdx.org/spdxdocs/peipkg-${contentUuid(JSON.stringify([created, content]))}`,
    creationInfo: { created, creators: [`Tool: peipkg-${tool}`] },
    packages: content.packages,
    ...(content.files.length === 0 ? {} : { files: content.files }),
    ...(content.hasExtractedLicensingInfos.length === 0
      ? {}
      : { hasExtractedLicensingInfos: content.hasExtractedLicensingInfos }),
    relationships: content.relationships,
  };
}

function packageOf(item: InventoryItem): unknown {
  return {
    name: item.name,
    SPDXID: packageId(item.name),
    versionInfo: item.version,
    supplier: item.origin === undefined ? UNKNOWN : `Organization: ${item.origin}`,
    downloadLocation: UNKNOWN,
    // What was installed is described, not analysed: the digest is that of the package file.
    filesAnalyzed: false,
    checksums: [{ algorithm: "SHA256", checksumValue: item.packageHash }],
    ...(item.homepage === "" ? {} : { homepage: item.homepage }),
    licenseConcluded: UNKNOWN,
    licenseDeclared: declaredLicense(item),
    copyrightText: UNKNOWN,
    ...(item.description === "" ? {} : { summary: item.description }),
    externalRefs: [{
      referenceCategory: "PACKAGE-MANAGER",
      referenceType: "purl",
      referenceLocator: item.purl,
    }],
  };
}

function declaredLicense({ license, licenseKind }: InventoryItem): string {
  if (license === "") return UNKNOWN;
  return licenseKind === "text" ? licenseReference(license) : license;
}

/** A name for a licence text that is no expression, made of its words and its digest. */
export function licenseReference(text: string): string {
  const words = text.replace(/[^A-Za-z0-9.]+/g, "-").replace(/^-|-$/g, "").slice(0, 40);
  return `LicenseRef-${words === "" ? "" : `${words}-`}${shortHash(text)}`;
}

/** Identifiers take letters, digits, dots and hyphens; names also have plus signs. */
function packageId(name: string): string {
  const suffix = name.includes("+") ? `-${shortHash(name)}` : "";
  return `SPDXRef-Package-${name.replaceAll("+", "-")}${suffix}`;
}

function fileId(name: string, path: string): string {
  return `SPDXRef-File-${hash(`${name}\0${path}`).slice(0, FILE_HASH_DIGITS)}`;
}

function filesOf({ name, files }: InventoryItem): readonly unknown[] {
  return files.map((file) => ({
    fileName: `.${file.path}`,
    SPDXID: fileId(name, file.path),
    checksums: [{ algorithm: "SHA256", checksumValue: file.hash }],
    licenseConcluded: UNKNOWN,
    copyrightText: UNKNOWN,
  }));
}

function relationshipsOf(item: InventoryItem): readonly unknown[] {
  const relation = (from: string, type: string, to: string) => ({
    spdxElementId: from,
    relationshipType: type,
    relatedSpdxElement: to,
  });
  const id = packageId(item.name);
  return [
    ...(item.isNamed ? [relation(DOCUMENT_ID, "DESCRIBES", id)] : []),
    ...item.dependencies.map((name) => relation(id, "DEPENDS_ON", packageId(name))),
    ...item.files.map(({ path }) => relation(id, "CONTAINS", fileId(item.name, path))),
  ];
}

function hash(text: string): string {
  return sha256Hex(new TextEncoder().encode(text));
}

function shortHash(text: string): string {
  return hash(text).slice(0, SHORT_HASH_DIGITS);
}
