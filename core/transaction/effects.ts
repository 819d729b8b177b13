/**
 * Side effects: which of the three maintenance tools a transaction makes due, and running them after the boundary
 * (transactions.md section 15). The set is closed; nothing a package says can run anything else (T-SIDE-01).
 */
import type { Warning } from "../errors.ts";
import { decodeForeign } from "../identity/foreign_text.ts";
import type { Database } from "../store/database.ts";
import { openSideEffects, recordSideEffect, type SideEffectName } from "../store/journal.ts";
import type { Directory, RootDirectory, Session } from "../system.ts";
import type { ChangeSet } from "./file_operation.ts";
import type { SideEffectOutcome } from "./input.ts";
import { baseName, parentPath } from "./names.ts";
import type { Scope } from "./scope.ts";

/** Where each tool is looked for, in order; `PATH` never counts (T-SIDE-03). */
const TOOL_PATHS: Readonly<Record<SideEffectName, readonly string[]>> = {
  ldconfig: ["/usr/bin/ldconfig", "/usr/sbin/ldconfig", "/sbin/ldconfig"],
  depmod: ["/usr/bin/depmod", "/usr/sbin/depmod", "/sbin/depmod"],
  "man-db": ["/usr/bin/mandb"],
};
const TIME_LIMIT_MILLISECONDS = 300_000;
const ATTEMPTS_MAX = 3;
const SHOWN_CHARACTERS = 240;
/** Details of skipped rows that say who skipped them (T-SIDE-04). */
const OTHER_ROOT = "other-root";
const BY_OPERATOR = "operator";
/** T-SIDE-06: the version comes from a payload path. */
const KERNEL_VERSION_REGEXP = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
const MODULES_PREFIX = "/usr/lib/modules/";
const MANUALS_PREFIX = "/usr/share/man/";
const ORDER: readonly SideEffectName[] = ["ldconfig", "depmod", "man-db"];

export interface DueEffect {
  readonly effect: SideEffectName;
  /** Kernel version for `depmod`, else empty. */
  readonly argument: string;
}

/** What a transaction makes due: declared by what it installs, or inferred from what changes (section 15). */
export function dueEffects(
  scope: Scope,
  changes: ChangeSet,
  declaredByRemoved: readonly string[],
): { readonly effects: readonly DueEffect[]; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = [];
  const declared = new Set<string>(declaredByRemoved);
  for (const { content } of scope.arriving) for (const effect of content.manifest.sideEffects) declared.add(effect);
  const kernels = new Set<string>();
  let hasLibrary = declared.has("ldconfig");
  let hasManuals = declared.has("man-db");
  for (const change of changes.operations) {
    const { path } = change;
    // C-TXN-07: a claim link counts when it comes as well as when it goes.
    const isRemoval = change.action === "remove";
    if (!hasLibrary && (isRemoval || change.isClaim)) hasLibrary = path.lastIndexOf(".so") > path.lastIndexOf("/");
    if (isRemoval && path.startsWith(MANUALS_PREFIX)) hasManuals = true;
    if (change.newType === "file" || change.oldType === "file") addKernel(path, kernels);
  }
  if (declared.has("depmod")) addShippedKernels(scope, kernels);
  const effects: DueEffect[] = [];
  if (hasLibrary) effects.push({ effect: "ldconfig", argument: "" });
  for (const version of [...kernels].sort()) {
    if (KERNEL_VERSION_REGEXP.test(version)) effects.push({ effect: "depmod", argument: version });
    else {
      warnings.push({
        rule: "SIDE_EFFECT_BAD_ARGUMENT",
        text: `depmod is not run for "${version}": it is no kernel version`,
      });
    }
  }
  if (hasManuals) effects.push({ effect: "man-db", argument: "" });
  return { effects, warnings };
}

/** T-SIDE-07: a declared `depmod` concerns the versions whose modules are shipped; without any there is nothing to run. */
function addShippedKernels(scope: Scope, kernels: Set<string>): void {
  for (const path of scope.arrivals.keys()) addKernel(path, kernels);
}

/** Notes the kernel version of a path below `/usr/lib/modules/<ver>/`. */
function addKernel(path: string, kernels: Set<string>): void {
  if (!path.startsWith(MODULES_PREFIX)) return;
  const [version, rest] = path.slice(MODULES_PREFIX.length).split("/", 2);
  if (version !== undefined && rest !== undefined) kernels.add(version);
}

export interface EffectsContext {
  readonly session: Session;
  readonly root: RootDirectory;
  readonly database: Database;
  readonly isSystemRoot: boolean;
  readonly sideEffects: "auto" | "skip";
}

/**
 * Runs everything due on this database: this transaction's effects and what earlier ones left (T-SIDE-10). The caller
 * records the outcomes with `recordOutcomes()`.
 *
 * @param isExplicit `peipkg recover`: also retries what failed too often or was skipped by the operator.
 */
export async function runSideEffects(
  context: EffectsContext,
  isExplicit: boolean,
): Promise<{ readonly outcomes: readonly SideEffectOutcome[]; readonly warnings: readonly Warning[] }> {
  const due = collectDue(context, isExplicit);
  const outcomes: SideEffectOutcome[] = [];
  const warnings: Warning[] = [];
  if (due.length === 0) return { outcomes, warnings };
  const skipped = !context.isSystemRoot ? OTHER_ROOT : context.sideEffects === "skip" && !isExplicit ? BY_OPERATOR : "";
  if (skipped === "") context.session.emit({ kind: "side-effects", names: due.map(label) });
  for (const effect of due) {
    outcomes.push(
      skipped === ""
        ? await runOne(context, effect, warnings)
        : { ...effect, state: "skipped" as const, detail: skipped },
    );
  }
  if (skipped !== "") {
    const where = skipped === OTHER_ROOT ? " for another root" : ""; // C-GLOB-14
    const text = `side effects not run${where}: ${due.map(label).join(", ")}`;
    warnings.push({ rule: "W_SIDE_EFFECTS_SKIPPED", text });
  }
  return { outcomes, warnings };
}

/** Records how the effects ended; inside a write transaction, together with `cleanup_done` (T-CLEAN-07). */
export function recordOutcomes(database: Database, outcomes: readonly SideEffectOutcome[]): void {
  for (const { effect, argument, state, detail } of outcomes) {
    recordSideEffect(database, effect, argument, { state, isAttempt: state !== "skipped", detail });
  }
}

/** One entry per tool and argument, however many transactions wait for it (T-SIDE-02). */
function collectDue(context: EffectsContext, isExplicit: boolean): readonly DueEffect[] {
  const due = new Map<string, DueEffect>();
  for (const row of openSideEffects(context.database)) {
    const isSkipped = row.state === "skipped" &&
      !(context.isSystemRoot && (row.detail === OTHER_ROOT || (isExplicit && row.detail === BY_OPERATOR)));
    const isTired = row.state === "failed" && row.attempts >= ATTEMPTS_MAX && !isExplicit;
    if (!isSkipped && !isTired) {
      due.set(`${row.effect} ${row.argument}`, { effect: row.effect, argument: row.argument });
    }
  }
  return [...due.values()].sort((a, b) =>
    ORDER.indexOf(a.effect) - ORDER.indexOf(b.effect) || (a.argument < b.argument ? -1 : 1)
  );
}

async function runOne(context: EffectsContext, due: DueEffect, warnings: Warning[]): Promise<SideEffectOutcome> {
  const failed = (rule: "SIDE_EFFECT_FAILED" | "SIDE_EFFECT_TOOL_MISSING", detail: string): SideEffectOutcome => {
    warnings.push({ rule, text: `side effect ${label(due)} failed: ${detail}` });
    return { ...due, state: "failed", detail };
  };
  try {
    if (due.effect === "depmod" && !hasKernel(context.root, due.argument)) {
      return { ...due, state: "done", detail: undefined }; // no such version any more: nothing to refresh
    }
    const path = findTool(context, due.effect);
    if (path === undefined) return failed("SIDE_EFFECT_TOOL_MISSING", "the tool is not installed");
    const result = await context.session.system.runTool({
      path,
      args: due.effect === "depmod" ? [due.argument] : due.effect === "man-db" ? ["-q"] : [],
      timeoutMilliseconds: TIME_LIMIT_MILLISECONDS,
    });
    if (result.status === 0) return { ...due, state: "done", detail: undefined };
    const output = decodeForeign(result.output).trim();
    const ending = result.timedOut
      ? `no end within ${TIME_LIMIT_MILLISECONDS / 1000} s`
      : result.status === undefined
      ? `killed by ${result.signal ?? "a signal"}`
      : `exit status ${result.status}`;
    return failed("SIDE_EFFECT_FAILED", (output === "" ? ending : output).slice(0, SHOWN_CHARACTERS));
  } catch (error) {
    return failed(
      "SIDE_EFFECT_FAILED",
      (error instanceof Error ? error.message : String(error)).slice(0, SHOWN_CHARACTERS),
    );
  }
}

function hasKernel(root: RootDirectory, version: string): boolean {
  using directory = root.openDirectory(`${MODULES_PREFIX}${version}`);
  return directory !== undefined;
}

/** First regular file of the list; for uid 0 without KACS it must be root's alone (T-SIDE-03). */
function findTool({ root, session }: EffectsContext, effect: SideEffectName): string | undefined {
  for (const path of TOOL_PATHS[effect]) {
    using directory = openQuietly(root, parentPath(path));
    const found = directory?.status(baseName(path));
    if (found?.type !== "file") continue;
    const isGuarded = session.system.machine.euid !== 0 || root.hasKacs;
    if (isGuarded || (found.uid === 0 && (found.mode & 0o022) === 0)) return path;
  }
  return undefined;
}

function openQuietly(root: RootDirectory, path: string): Directory | undefined {
  try {
    return root.openDirectory(path);
  } catch {
    return undefined; // `/sbin` may be a link: the list names the other places too
  }
}

function label({ effect, argument }: DueEffect): string {
  return argument === "" ? effect : `${effect} ${argument}`;
}
