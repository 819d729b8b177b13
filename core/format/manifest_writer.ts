/** Manifests in canonical form: schema field order, every optional base field written (F-PRO-06 … F-PRO-08). */
import type { Constraint } from "../identity/constraint.ts";
import { encodeBase64 } from "./base64.ts";
import type { Claim } from "./claims_field.ts";
import { JsonFields, type JsonOutput, writeDocument } from "./json_writer.ts";
import type { Manifest } from "./manifest.ts";
import type { Dependency, PackageRelation, Provides, Relations } from "./relations.ts";

/** Writes a manifest as UTF-8 bytes with its trailing LF. */
export function writeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  const { build } = manifest;
  const relations = relationFields(manifest);
  return writeDocument(
    new JsonFields([
      ["schema_version", 1],
      ["name", manifest.name],
      ["version", manifest.version.raw],
      ["architecture", manifest.architecture],
      ["description", manifest.description],
      ["license", manifest.license],
      ["homepage", manifest.homepage],
      ["default_root", manifest.defaultRoot],
      ...relations,
      ["side_effects", manifest.sideEffects],
      ["size_installed", manifest.sizeInstalledBytes],
      ["sd_overrides", manifest.sdOverrides.map(overrideFields)],
      ["special_system_package", manifest.specialSystemPackage ? true : undefined],
      ["alternate_upgrade", unlessEmpty(manifest.alternateUpgrade)],
      [
        "build",
        new JsonFields([
          ["timestamp", build.timestamp],
          ["farm_id", build.farmId],
          ["source_ref", build.sourceRef],
          ["source_package", unlessEmpty(build.sourcePackage)],
        ]),
      ],
    ]),
  );
}

/** The five relation arrays as manifests and index entries write them (F-PRO-08, R-PROD-02). */
export function relationFields(relations: Relations): readonly (readonly [string, JsonOutput])[] {
  return [
    ["dependencies", relations.dependencies.map(dependencyFields)],
    ["optional_dependencies", relations.optionalDependencies.map(dependencyFields)],
    ["conflicts", relations.conflicts.map(packageFields)],
    ["provides", relations.provides.map(providesFields)],
    ["replaces", relations.replaces.map(packageFields)],
  ];
}

function overrideFields(override: Manifest["sdOverrides"][number]): JsonFields {
  return new JsonFields([["path", override.path], ["sd", encodeBase64(override.descriptor)]]);
}

function dependencyFields(dependency: Dependency): JsonFields {
  return new JsonFields([
    ["name", dependency.name],
    ["constraint", constraintText(dependency.constraint)],
    ["root", dependency.root],
    ["claims", claimFields(dependency.claims)],
  ]);
}

function packageFields(relation: PackageRelation): JsonFields {
  return new JsonFields([["name", relation.name], ["constraint", constraintText(relation.constraint)]]);
}

function providesFields(provides: Provides): JsonFields {
  return new JsonFields([
    ["name", provides.name],
    ["version", provides.version?.raw],
    ["claims", claimFields(provides.claims)],
  ]);
}

function claimFields(claims: readonly Claim[]): JsonFields | undefined {
  if (claims.length === 0) return undefined;
  return new JsonFields(claims.map((claim) => [
    claim.slot,
    new JsonFields([["path", absolute(claim.path)], ["target", absolute(claim.target)]]),
  ]));
}

function constraintText(constraint: Constraint | undefined): string | undefined {
  return constraint?.raw;
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : `/${path}`;
}

function unlessEmpty(text: string): string | undefined {
  return text === "" ? undefined : text;
}
