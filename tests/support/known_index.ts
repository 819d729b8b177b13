/** Reading an index beside the one it replaces must give what reading it whole gives. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../core/errors.ts";
import { type Index, type IndexExpectation, parseIndex } from "../../core/repository/index.ts";
import type { NewCataloguePackage } from "../../core/store/catalogue.ts";
import { compareBytes } from "../../core/identity/safe_path.ts";

export const KNOWN_EXPECTATION: IndexExpectation = {
  handle: "x",
  kind: "active",
  repositoryName: "main",
  layout: "both",
};

/** An index of packages of any shape. */
export const indexText = (packages: unknown, more: object = {}): string =>
  JSON.stringify({
    schema_version: 1,
    repo: "main",
    kind: "active",
    index_version: 3,
    generated_at: "2026-01-01T00:00:00Z",
    packages,
    ...more,
  });

/** A package entry of an index. */
export const indexEntry = (name: string, more: object = {}) => ({
  name,
  version: "1.0-1",
  architecture: "x86_64",
  description: "An editor",
  dependencies: [{ name: "lib", constraint: ">= 1.0" }],
  conflicts: [],
  size_compressed: 1,
  size_installed: 2,
  hash: { algorithm: "sha256", value: "0".repeat(64) },
  url: `/p/${name}`,
  ...more,
});

/** Package names in the order of an index. */
export const numberedName = (at: number) => `p${String(at).padStart(3, "0")}`;

/**
 * Reads an index both ways and compares what comes of it: the same refusal, or the same rows.
 *
 * @returns The rows the second way has read, or the refusal.
 * @throws {AssertionError} when they differ
 */
export function readBeside(input: Uint8Array, known: Uint8Array): readonly NewCataloguePackage[] | PeipkgError {
  const whole = outcomeOf(() => parseIndex(input, KNOWN_EXPECTATION));
  const beside = outcomeOf(() => parseIndex(input, KNOWN_EXPECTATION, known));
  if (whole instanceof PeipkgError || beside instanceof PeipkgError) {
    assert.ok(whole instanceof PeipkgError && beside instanceof PeipkgError);
    assert.deepEqual([beside.code, beside.message, beside.detail], [whole.code, whole.message, whole.detail]);
    return whole;
  }
  const { changedNames } = beside;
  const rows = changedNames === undefined ? [] : [...parseIndex(known, KNOWN_EXPECTATION).packages]
    .filter(({ name }) => !changedNames.includes(name));
  const merged = [...rows, ...beside.packages].sort((a, b) => compareBytes(a.name, b.name));
  assert.deepEqual({ ...beside, packages: merged, changedNames: undefined }, {
    ...whole,
    packages: [...whole.packages],
  });
  const read = [...beside.packages];
  assert.ok(changedNames === undefined || read.every(({ name }) => changedNames.includes(name)));
  return read;
}

/** What reading an index gives, or its refusal. */
export function outcomeOf(run: () => Index): Index | PeipkgError {
  try {
    return run();
  } catch (error) {
    if (error instanceof PeipkgError) return error;
    throw error;
  }
}
