/** Inventories as CycloneDX 1.5 documents. */
import { contentUuid, type Inventory, type InventoryItem } from "./inventory.ts";
import { licenseReference } from "./sbom_spdx.ts";

/** Builds the document. @see C-SBOM-01 */
export function cycloneDocument({ created, tool, items }: Inventory): unknown {
  const components = items.map(componentOf);
  const references = new Map(items.map(({ name, purl }) => [name, purl]));
  const dependencies = items.map(({ purl, dependencies: names }) => ({
    ref: purl,
    dependsOn: names.flatMap((name) => references.get(name) ?? []),
  }));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: `urn:uuid:${contentUuid(JSON.stringify([created, components, dependencies]))}`,
    version: 1,
    metadata: {
      timestamp: created,
      tools: { components: [{ type: "application", name: "peipkg", version: tool }] },
    },
    components,
    dependencies,
  };
}

function componentOf(item: InventoryItem): unknown {
  return {
    type: "library",
    "bom-ref": item.purl,
    ...(item.origin === undefined ? {} : { supplier: { name: item.origin } }),
    name: item.name,
    version: item.version,
    ...(item.description === "" ? {} : { description: item.description }),
    hashes: [{ alg: "SHA-256", content: item.packageHash }],
    ...(item.license === "" ? {} : { licenses: [licenseOf(item)] }),
    purl: item.purl,
    ...(item.homepage === "" ? {} : { externalReferences: [{ type: "website", url: item.homepage }] }),
    ...(item.files.length === 0 ? {} : {
      components: item.files.map(({ path, hash }) => ({
        type: "file",
        "bom-ref": `${item.purl}#${encodeURI(path.slice(1))}`,
        name: path,
        hashes: [{ alg: "SHA-256", content: hash }],
      })),
    }),
  };
}

function licenseOf({ license, licenseKind }: InventoryItem): unknown {
  switch (licenseKind) {
    case "identifier":
      return { license: { id: license } };
    case "expression":
      return { expression: license };
    case "text":
      return { license: { name: licenseReference(license), text: { content: license } } };
  }
}
