/**
 * What an undo puts back: the inverse of the newest committed transaction, as requests for the resolver, with the
 * content earlier transactions kept as candidates of their own (S-UNDO-01 … S-UNDO-04).
 */
import { ruleError, type Warning } from "../errors.ts";
import { parseManifest } from "../format/manifest.ts";
import { parsePackageName } from "../identity/package_name.ts";
import { type Candidate, relationsOf, type Request } from "../resolver/problem.ts";
import type { Database } from "../store/database.ts";
import { newestCommitted, priorHolders, type PriorPackage, priorPackages, readOperations } from "../store/history.ts";
import { readInstalledPackage } from "../store/installed.ts";
import type { ClaimAssignment, ContentSource } from "../transaction/input.ts";
import { openKeptContent } from "../transaction/undo_source.ts";
import type { Directory } from "../system.ts";
import type { Workspace } from "./workspace.ts";

export interface UndoSubject {
  readonly transaction: number;
  readonly summary: string;
  readonly requests: readonly Request[];
  /** Prior packages all of whose content is kept. */
  readonly candidates: readonly Candidate[];
  /** Their content, by package name. */
  readonly kept: ReadonlyMap<string, ContentSource>;
  readonly claims: readonly ClaimAssignment[];
  /** `held` and reason each package returns to (T-UNDO-02). */
  readonly marks: ReadonlyMap<string, { readonly held: boolean; readonly reason: "explicit" | "dependency" }>;
  /** Hash the archive must offer for a prior package (T-UNDO-07). */
  readonly hashes: ReadonlyMap<string, string>;
  readonly warnings: readonly Warning[];
}

const encoder = new TextEncoder();

/**
 * Reads the newest committed transaction and computes its inverse.
 *
 * @param state The state directory; the kept content is usable while it stays open.
 * @throws {PeipkgError} `nothing-to-undo` (`E_NOTHING_TO_UNDO`)
 * @see T-UNDO-01, T-UNDO-02, S-UNDO-01
 */
export function readUndoSubject(
  workspace: Workspace,
  database: Database | undefined,
  state: Directory | undefined,
): UndoSubject {
  const record = database === undefined ? undefined : newestCommitted(database);
  if (database === undefined || record === undefined) {
    throw ruleError("E_NOTHING_TO_UNDO", "there is no committed transaction to undo");
  }
  const prior = new Map(priorPackages(database, record.id).map((item) => [item.name as string, item]));
  const requests: Request[] = [];
  for (const operation of readOperations(database, record.id)) {
    if (operation.action === "claim" || operation.action === "reinstall") continue;
    const name = parsePackageName(operation.subject);
    const before = prior.get(name);
    if (operation.action === "install") {
      // A later `remove` of the same name cannot be there: this is the newest transaction.
      if (readInstalledPackage(database, name) !== undefined) requests.push({ kind: "remove", name });
    } else if (before !== undefined) {
      requests.push({ kind: "restore", name, version: before.version, reason: before.reason });
    } else {
      throw ruleError(
        "E_UNDO_UNAVAILABLE",
        `cannot undo transaction ${record.id}: what "${name}" was is not recorded`,
        {
          packages: [name],
        },
      );
    }
  }
  const { contents, warnings } = state === undefined
    ? { contents: new Map<string, ContentSource>(), warnings: [] }
    : openKeptContent({ root: workspace.root, state }, database, record.id);
  const claims = priorHolders(database, record.id).map(({ role, holder }) => ({ role, holder, isUndo: true }));
  if (requests.length === 0 && claims.length === 0) {
    throw ruleError("E_NOTHING_TO_UNDO", `there is nothing to undo in transaction ${record.id}`);
  }
  return {
    transaction: record.id,
    summary: record.summary,
    requests,
    candidates: [...contents.values()].flatMap((content) => {
      const item = prior.get(content.name);
      return item === undefined ? [] : [retainedCandidate(workspace, item)];
    }),
    kept: contents,
    claims,
    marks: new Map([...prior.values()].map((item) => [item.name, { held: item.isHeld, reason: item.reason }])),
    hashes: new Map([...prior.values()].map((item) => [item.name, item.packageHash])),
    warnings,
  };
}

function retainedCandidate(workspace: Workspace, item: PriorPackage): Candidate {
  const manifest = parseManifest(encoder.encode(item.manifestText), workspace.settings.layout);
  return {
    name: item.name,
    version: item.version,
    architecture: item.architecture,
    origin: { kind: "retained", repository: item.origin, priority: 0 },
    hash: item.packageHash,
    sizeCompressedBytes: 0,
    sizeInstalledBytes: manifest.sizeInstalledBytes,
    url: "",
    ...relationsOf(manifest),
  };
}
