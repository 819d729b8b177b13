/**
 * A plan for people and for programs.
 *
 * @see C-PLAN-01, C-PLAN-02, C-PLAN-09
 */
import type {
  CandidateIdentity,
  ClaimChange,
  ExclusionWord,
  HeldBack,
  InstallReason,
  Operation,
  PlanNote,
  PreparedChange,
} from "../../mod.ts";
import { escapeText } from "../escape.ts";
import type { Screen } from "../screen.ts";
import { authorisationDocument, authorisationText } from "./authorisation.ts";
import { renderSize, renderSizeChange } from "./sizes.ts";

/** The parts of a prepared change that are shown. */
export type ShownChange = Pick<
  PreparedChange,
  "plan" | "claims" | "sideEffects" | "downloadBytes" | "sizeChangeBytes" | "notes"
>;

const VERB_WIDTH = 9;

/** The word for an install reason that people and programs see. */
export function reasonWord(reason: InstallReason): "manual" | "auto" {
  return reason === "explicit" ? "manual" : "auto";
}

/** Exclusion words as shown: what the resolver calls held is locked to people. */
export function exclusionWord(word: ExclusionWord): string {
  return word === "held" ? "locked" : word;
}

function originName(target: CandidateIdentity): string | undefined {
  switch (target.origin.kind) {
    case "repository":
      return target.origin.repository;
    case "retained":
      return target.origin.repository ?? "retained";
    case "local-file":
      return undefined;
  }
}

/** What follows the verb: `nginx 1.27.5-1 -> 1.27.4-1  (local file)` */
function subject(operation: Operation, verbose: boolean): string {
  if (operation.kind === "remove") return escapeText(`${operation.from.name} ${operation.from.version.raw}`);
  const { target } = operation;
  const from = operation.kind === "upgrade" || operation.kind === "downgrade"
    ? `${operation.from.version.raw} -> `
    : "";
  const name = originName(target);
  const tail = name === undefined ? "  (local file)" : verbose ? ` [${name}]` : "";
  return escapeText(`${target.name} ${from}${target.version.raw}${tail}`);
}

/** One line of the plan; verbs are padded to nine (C-PLAN-01). */
export function planLine(verb: string, rest: string): string {
  return `  ${verb.padEnd(VERB_WIDTH)}  ${rest}`;
}

function operationLine(screen: Screen, operation: Operation): string {
  // The padding stays outside the colour, so that a coloured verb has no coloured blanks behind it.
  const verb = screen.style("stdout", operation.kind, operation.kind) +
    " ".repeat(Math.max(0, VERB_WIDTH - operation.kind.length));
  return `  ${verb}  ${subject(operation, screen.mode.verbose > 0)}`;
}

/** `registryd -> altregd  (was loregd)` */
function claimText({ role, from, to }: ClaimChange): string {
  const was = from === undefined ? "" : `  (was ${from})`;
  return escapeText(`${role} -> ${to ?? "-"}${was}`);
}

function heldBackText({ name, version, available, reason }: HeldBack): string {
  return `held back: ${name} ${version.raw}, ${available.raw} available (${exclusionWord(reason)})`;
}

function noteText(note: PlanNote): string {
  switch (note.kind) {
    case "optional":
      return `optional for ${note.for}: ${note.names.join(", ")}`;
    case "orphaned":
      return `${note.name} is orphaned: ${note.origin} is no longer configured; check it before relying on it`;
    case "local-file-offered":
      return `${note.name} ${note.version} is a local file; ${note.repository} offers ${note.offered}`;
  }
}

/** Notes in the order of C-PLAN-02, unescaped, without `note: `. */
function planNotes(prepared: ShownChange): readonly string[] {
  const of = (kind: PlanNote["kind"]) => prepared.notes.filter((note) => note.kind === kind).map(noteText);
  return [
    ...of("optional"),
    ...prepared.plan.heldBack.map(heldBackText),
    ...of("orphaned"),
    ...of("local-file-offered"),
  ];
}

/** `             repoint  /usr/bin/registryd -> /usr/bin/altregd` below its claim (C-AUTO-08); escaped. */
function linkLine({ path, target, change }: NonNullable<ClaimChange["links"]>[number]): string {
  return escapeText(`             ${change.padEnd(7)}  ${path}${target === undefined ? "" : ` -> ${target}`}`);
}

/** The plan block, first line to last; escaped. */
export function renderPlan(screen: Screen, prepared: ShownChange): readonly string[] {
  const { plan } = prepared;
  const elevated = screen.style("stdout", "elevated", "! elevated:");
  const lines = [
    "the following changes will be made:",
    ...plan.operations.map((operation) => operationLine(screen, operation)),
    ...prepared.claims.flatMap((claim) => [
      planLine("claim", claimText(claim)),
      ...(screen.mode.verbose > 0 ? (claim.links ?? []).map(linkLine) : []),
    ]),
    ...plan.marks.map((mark) => planLine("mark", escapeText(`${mark.name} ${reasonWord(mark.reason)}`))),
    ...plan.authorisations.map((authorisation) => `  ${elevated} ${escapeText(authorisationText(authorisation))}`),
    ...planNotes(prepared).map((note) => `  note: ${escapeText(note)}`),
  ];
  if (screen.mode.verbose > 0) lines.push(totalLine(prepared.downloadBytes, prepared.sizeChangeBytes));
  return lines;
}

/** `total: download 9.8 MiB, disk +31.2 MiB` */
function totalLine(downloadBytes: number, sizeChangeBytes: number): string {
  return `total: download ${renderSize(downloadBytes)}, disk ${renderSizeChange(sizeChangeBytes)}`;
}

/** `Operation` of cli.md 6.2. */
function operationDocument(operation: Operation): Readonly<Record<string, unknown>> {
  const { kind, requested, cause } = operation;
  const causedBy = "by" in cause ? { caused_by: cause.by } : {};
  if (operation.kind === "remove") {
    const { name, version, architecture, origin } = operation.from;
    return {
      kind,
      name,
      from: version.raw,
      architecture,
      repository: origin,
      requested,
      cause: cause.kind,
      ...causedBy,
      automatic: false,
    };
  }
  const { target } = operation;
  const isLocal = target.origin.kind === "local-file";
  return {
    kind,
    name: target.name,
    from: operation.kind === "install" ? undefined : operation.from.version.raw,
    to: target.version.raw,
    architecture: target.architecture,
    repository: originName(target),
    local: isLocal,
    requested,
    cause: cause.kind,
    ...causedBy,
    automatic: operation.reason === "dependency",
    url: target.url === "" ? undefined : target.url,
    sha256: target.hash,
    size_download: target.sizeCompressedBytes,
    size_installed: target.sizeInstalledBytes,
  };
}

/** Members of the `plan` event (6.3). */
export function planEvent(prepared: ShownChange): Readonly<Record<string, unknown>> {
  const { plan } = prepared;
  return {
    operations: plan.operations.map(operationDocument),
    authorisations: plan.authorisations.map(authorisationDocument).filter((document) => document !== undefined),
    notes: planNotes(prepared),
    held_back: plan.heldBack.map(({ name, version, available, reason }) => ({
      name,
      version: version.raw,
      available: available.raw,
      reason: exclusionWord(reason),
    })),
    suggestions: plan.suggestions.map((suggestion) => ({
      for: suggestion.for,
      name: suggestion.name,
      constraint: suggestion.constraint,
    })),
    claims: prepared.claims.map(({ role, from, to, links }) => ({
      role,
      from,
      to,
      links: links?.map(({ path, target, change }) => ({ path, target, change })),
    })),
    marks: plan.marks.map(({ name, reason }) => ({ name, automatic: reason === "dependency" })),
    side_effects: prepared.sideEffects,
    download_size: prepared.downloadBytes,
    size_change: prepared.sizeChangeBytes,
  };
}
