/** The conformance repositories of `tests/fixtures/repos`, unpacked into memory. */
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import type { Serve } from "./repository_world.ts";

const FIXTURES = new URL("../fixtures/repos/", import.meta.url);

export interface FixtureStep {
  readonly op: "add" | "refresh" | "fetch" | "archive";
  readonly tree?: string;
  readonly repo?: string;
  readonly base_url?: string;
  readonly anchors?: readonly string[];
  readonly policy?: "required" | "optional";
  readonly min_index_version?: number;
  readonly allow_insecure?: boolean;
  readonly package?: string;
  readonly version?: string;
  readonly source?: "archive";
  readonly expect: "ok" | "fail" | "no-progress" | "any";
  readonly warning?: boolean;
  readonly state?: { readonly index_version?: number };
}

export interface FixtureCase {
  readonly id: string;
  readonly base_url: string;
  readonly hosts?: Readonly<Record<string, string>>;
  readonly form?: "envelope";
  readonly note: string;
  readonly decision?: string;
  readonly steps: readonly FixtureStep[];
}

interface Bundle {
  readonly trees: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly "raw-detached": Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly blobs: readonly string[];
}

let bundle: Bundle | undefined;

function loadBundle(): Bundle {
  bundle ??= JSON.parse(
    zstdDecompressSync(Deno.readFileSync(new URL("trees.json.zst", FIXTURES))).toString(),
  ) as Bundle;
  return bundle;
}

/** Every case of the fixture. */
export function fixtureCases(): readonly FixtureCase[] {
  return JSON.parse(Deno.readTextFileSync(new URL("cases.json", FIXTURES)));
}

/** Names of the fixture's keys by their role. */
export function fixtureKeys(): Readonly<Record<string, string>> {
  return JSON.parse(Deno.readTextFileSync(new URL("keys.json", FIXTURES)));
}

/** Exact cause of each failing step, by `<case> <step>`: with envelopes, and with bare signatures where it differs. */
export function fixtureRules(): Readonly<Record<string, readonly string[]>> {
  return JSON.parse(Deno.readTextFileSync(new URL("rules.json", FIXTURES)));
}

/**
 * One file of a tree.
 *
 * @param bare Signatures as bare base64 (form B) in place of envelopes.
 */
export function fixtureFile(tree: string, path: string, bare = false): Uint8Array | undefined {
  const { trees, "raw-detached": raw, blobs } = loadBundle();
  const source = bare && path.endsWith(".sig") && !path.endsWith(".peipkg.sig") ? raw[tree] : trees[tree];
  const index = source === undefined || !Object.hasOwn(source, path) ? undefined : source[path];
  return index === undefined ? undefined : new Uint8Array(Buffer.from(blobs[index] ?? "", "base64"));
}

/** Serves trees by URL prefix; the longest prefix that matches decides. */
export function serveFixtures(hosts: ReadonlyMap<string, string>, bare = false): Serve {
  const prefixes = [...hosts.keys()].sort((a, b) => b.length - a.length);
  return (url) => {
    const prefix = prefixes.find((candidate) => url.startsWith(`${candidate}/`));
    const tree = prefix === undefined ? undefined : hosts.get(prefix);
    if (prefix === undefined || tree === undefined) return undefined;
    const path = decodeURIComponent(url.slice(prefix.length + 1));
    const body = fixtureFile(tree, path, bare);
    return body === undefined ? undefined : { body };
  };
}
