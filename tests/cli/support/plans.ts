/** Prepared changes made by hand, for what the command line shows of them. */
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import type { CandidateIdentity, InstalledIdentity, Operation } from "../../../mod.ts";
import type { ShownChange } from "../../../cli/render/plan.ts";

export const name = parsePackageName;
export const version = parseVersion;

/** `nginx 1.27.5-1` from a repository, or a local file when there is none. */
export function candidate(words: string, repository?: string): CandidateIdentity {
  const [packageName = "", packageVersion = ""] = words.split(" ");
  return {
    name: name(packageName),
    version: version(packageVersion),
    architecture: "x86_64",
    origin: repository === undefined
      ? { kind: "local-file", path: `${packageName}.peipkg` }
      : { kind: "repository", repository, priority: 10 },
    hash: "0".repeat(64),
    sizeCompressedBytes: 100,
    sizeInstalledBytes: 200,
    url: repository === undefined ? "" : `/p/${packageName}`,
  };
}

export function installed(words: string, origin = "official"): InstalledIdentity {
  const [packageName = "", packageVersion = ""] = words.split(" ");
  return { name: name(packageName), version: version(packageVersion), architecture: "x86_64", origin };
}

export function install(words: string, repository?: string): Operation {
  return {
    kind: "install",
    target: candidate(words, repository),
    reason: "explicit",
    requested: true,
    cause: { kind: "requested" },
    replaces: [],
  };
}

export function move(kind: "upgrade" | "downgrade" | "reinstall", from: string, to: string): Operation {
  return {
    kind,
    from: installed(from),
    target: candidate(to, "official"),
    reason: "dependency",
    requested: false,
    cause: { kind: "dependency", by: name("tool") },
    replaces: [],
  };
}

export function remove(words: string): Operation {
  return { kind: "remove", from: installed(words), requested: true, cause: { kind: "requested" } };
}

/** A change with these operations and nothing else to say. */
export function shownChange(operations: readonly Operation[], more: Partial<ShownChange> = {}): ShownChange {
  return {
    plan: {
      kind: "plan",
      operations,
      authorisations: [],
      heldBack: [],
      suggestions: [],
      marks: [],
      warnings: [],
    },
    claims: [],
    sideEffects: [],
    downloadBytes: 0,
    sizeChangeBytes: 0,
    notes: [],
    ...more,
  };
}
