/** Software bill of materials of an executable, CycloneDX 1.5 JSON. Same input, same bytes. */
import { createHash } from "node:crypto";
import type { BundledPackage } from "./bundle.ts";
import type { RuntimePin } from "./runtime.ts";

export interface SbomInput {
  readonly version: string;
  readonly commit: string;
  readonly target: string;
  /** RFC 3339, of the commit. */
  readonly timestamp: string;
  /** SHA-256 of the executable, hex. */
  readonly sha256: string;
  readonly runtime: RuntimePin;
  readonly packages: readonly (BundledPackage & { readonly license: string })[];
}

function npmUrl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** An UUID-shaped digest: a serial number that is the same for the same executable. */
function serialNumber(seed: string): string {
  const hex = createHash("sha256").update(seed).digest("hex");
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${
    hex.slice(20, 32)
  }`;
}

export function renderSbom(input: SbomInput): string {
  const { runtime } = input;
  const product = `pkg:generic/peipkg@${input.version}?arch=${input.target}`;
  const runtimeUrl = npmUrl(runtime.package, runtime.version);
  const sha512 = Uint8Array.fromBase64(runtime.integrity.slice("sha512-".length)).toHex();
  const components = [
    {
      "type": "platform",
      "bom-ref": runtimeUrl,
      "name": runtime.package,
      "version": runtime.version,
      "purl": runtimeUrl,
      "licenses": [{ license: { id: "MIT" } }],
      "hashes": [{ alg: "SHA-512", content: sha512 }],
      "description": "Deno runtime; the hash is that of the registry's tarball",
    },
    ...input.packages.map(({ name, version, license }) => ({
      "type": "library",
      "bom-ref": npmUrl(name, version),
      name,
      version,
      "purl": npmUrl(name, version),
      "licenses": [{ license: { id: license } }],
    })),
  ];
  const document = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: serialNumber(`${product}\n${input.sha256}`),
    version: 1,
    metadata: {
      timestamp: input.timestamp,
      component: {
        "type": "application",
        "bom-ref": product,
        "name": "peipkg",
        "version": input.version,
        "licenses": [{ license: { id: "MIT" } }],
        "hashes": [{ alg: "SHA-256", content: input.sha256 }],
        "properties": [{ name: "peipkg:commit", value: input.commit }],
      },
    },
    components,
    dependencies: [
      { ref: product, dependsOn: components.map((component) => component["bom-ref"]) },
      ...components.map((component) => ({ ref: component["bom-ref"], dependsOn: [] })),
    ],
  };
  return JSON.stringify(document, null, 2) + "\n";
}
