/**
 * The path every changing verb takes: plan, show, ask, apply, tell. What to change is in the request; whether it may
 * be changed is for the person; how it is changed is for the library.
 */
import {
  applyChange,
  auditFailure,
  type Authorisation,
  type AuthorisationEvidence,
  type ChangeAnswers,
  type ChangeReport,
  type ChangeRequest,
  ELEVATED_ACTIONS,
  type LateAnswer,
  type LateQuestion,
  pendingWeakenings,
  planChange,
  type PreparedChange,
  reportAnswer,
  ruleError,
  WARNING_CODES,
  type Weakening,
  type Workspace,
} from "../mod.ts";
import { hasFlag } from "./arguments.ts";
import { escapeText } from "./escape.ts";
import type { Invocation } from "./invocation.ts";
import { elevatedQuestion, isYes, modifiedQuestion, parseModifiedAnswer, ROUTINE_QUESTION } from "./prompt.ts";
import { authorisationDocument, authorisationText, weakeningAuthorisation } from "./render/authorisation.ts";
import { planEvent, reasonWord, renderPlan } from "./render/plan.ts";
import { rejectionError } from "./render/rejection.ts";
import { startFields } from "./run.ts";
import { type Screen, showWarnings } from "./screen.ts";

/** Reasons of the event `cancelled` (6.3). */
type CancelReason = "declined" | "authorisation-declined" | "modified-abort" | "trust-declined";

/** What a verb says instead of the usual sentences. */
export interface ChangeWording {
  /** After an empty plan; the whole line. */
  readonly nothing?: string;
  /** After the change, instead of `done — …`. */
  readonly done?: (report: ChangeReport) => string;
  /** No routine question follows the plan (C-CMD-08). */
  readonly asksNothing?: boolean;
  /** Something else that the same plan shows and the same yes covers (C-CHECK-03). */
  readonly alongside?: { readonly lines: readonly string[]; readonly apply: () => Promise<void> };
  /** Replaces the plan block under `-q --dry-run`. */
  readonly briefPlan?: (prepared: PreparedChange) => readonly string[];
}

export const NOTHING_TO_DO = "nothing to do — the request is already satisfied";
const DRY_RUN_NOTICE = "(dry run — no changes were made)";

/**
 * Carries a change out.
 *
 * @returns The exit status of an end without failure: always 0.
 * @throws {PeipkgError} Whatever planning and applying throw; `authorisation-required` and `modified` where a question
 *   cannot be asked.
 * @see C-PLAN-03 to C-PLAN-05, C-PROMPT-03, C-PROMPT-04
 */
export async function runChange(
  invocation: Invocation,
  request: ChangeRequest,
  wording: ChangeWording = {},
): Promise<0 | 1> {
  const { screen, args } = invocation;
  const workspace = await invocation.workspace();
  // C-PROMPT-03: questions about configuration come before those of the plan, which is made with their answers.
  const weakenings = choosesCandidates(request) && !request.options.dryRun ? pendingWeakenings(workspace) : [];
  if (!(await askWeakenings(screen, workspace, weakenings))) return cancelChange(screen, "authorisation-declined");
  const prepared = await planChange(workspace, request, weakenings);
  if (prepared.kind === "rejected") throw rejectionError(prepared);
  const { undoes } = prepared;
  screen.begin({ ...startFields(args, workspace), ...(undoes === undefined ? {} : { undoes: undoes.transaction }) });
  if (undoes !== undefined) screen.line(`undoing transaction ${undoes.transaction} (${escapeText(undoes.summary)})`);
  showWarnings(screen, [...prepared.plan.warnings, ...prepared.warnings], WARNING_CODES);
  screen.event("plan", planEvent(prepared));
  const { dryRun } = request.options;
  if (prepared.isEmpty) {
    screen.info(wording.nothing ?? NOTHING_TO_DO);
    screen.end("done", { summary: "nothing to do", operations: 0, dry_run: dryRun });
    return 0;
  }
  const isRoutine = !invocation.assumeYes && wording.asksNothing !== true;
  const asks = isRoutine || prepared.plan.authorisations.length > 0 || prepared.modifiedFiles.length > 0;
  if (!prepared.isMarksOnly || dryRun) showPlan(screen, prepared, asks || dryRun, wording);
  screen.lines(wording.alongside?.lines ?? []);
  if (dryRun) {
    if (wording.briefPlan === undefined || !screen.mode.quiet) screen.line(DRY_RUN_NOTICE);
    screen.end("done", { summary: "dry run", operations: prepared.plan.operations.length, dry_run: true });
    return 0;
  }
  const answers = await collectAnswers(screen, workspace, prepared, isRoutine).catch((error: unknown) => {
    auditFailure(workspace, prepared, error); // A-EVENT-05: refused before a transaction began
    throw error;
  });
  if (typeof answers === "string") return cancelChange(screen, answers);
  screen.passPrompts();
  await wording.alongside?.apply();
  const report = await applyChange(workspace, prepared, answers);
  tell(screen, prepared, report, wording);
  return 0;
}

/** Whether repositories are looked at; what only removes or marks works with unusable ones too (C-REMOVE-06). */
function choosesCandidates({ kind }: ChangeRequest): boolean {
  return kind === "install" || kind === "upgrade" || kind === "downgrade" || kind === "import";
}

/** 5.2: a quiet run shows the plan only where a question follows or the plan is what was asked for. */
function showPlan(screen: Screen, prepared: PreparedChange, wanted: boolean, wording: ChangeWording): void {
  if (screen.mode.quiet && wording.briefPlan !== undefined) {
    screen.lines(wording.briefPlan(prepared));
    return;
  }
  if (screen.mode.quiet && !wanted) return;
  const { plan, claims } = prepared;
  // Claim links can be put right without any change a plan would show (C-REC-23).
  if (plan.operations.length + claims.length + plan.marks.length === 0) return;
  screen.lines(renderPlan(screen, prepared));
}

/** Says that a person stopped it; nothing was changed (C-AUTH-05). */
export function cancelChange(screen: Screen, reason: CancelReason): 0 {
  screen.line(reason === "authorisation-declined" ? "cancelled — required authorisation was not given" : "cancelled");
  screen.end("cancelled", { reason });
  return 0;
}

/**
 * Ends a dry run of what has been shown, else asks the routine question about it (C-PROMPT-10). For changes that no
 * plan shows.
 *
 * @returns Whether it is to be done; if not, everything has been said.
 */
export async function mayProceed({ args, screen, assumeYes }: Invocation): Promise<boolean> {
  if (hasFlag(args.options, "dry-run")) {
    screen.line(DRY_RUN_NOTICE);
    screen.end("done", { summary: "dry run", dry_run: true });
    return false;
  }
  if (!assumeYes && !isYes(await screen.ask(ROUTINE_QUESTION))) {
    cancelChange(screen, "declined");
    return false;
  }
  screen.passPrompts();
  return true;
}

// --- Questions -------------------------------------------------------------------------------------------------

/**
 * Asks for one elevated action and reports the answer, whichever it is (A-EVENT-07, C-AUTH-06).
 *
 * @param planDigest Of the plan the action belongs to (A-AUTH-07).
 * @returns The evidence of a yes. `unavailable`: there is no terminal to ask on (C-AUTH-03).
 */
export async function askElevated(
  screen: Screen,
  workspace: Workspace,
  authorisation: Authorisation,
  display: readonly string[] = [],
  planDigest?: string,
): Promise<AuthorisationEvidence | "no" | "unavailable"> {
  const { action, subject } = authorisation;
  const statement = authorisationText(authorisation);
  const method = screen.mode.driven === true ? "driven" : "tty"; // C-DRV-06
  const digest = planDigest === undefined ? {} : { planDigest };
  const evidence: AuthorisationEvidence = { action, subject, statement, method, ...digest };
  if (!screen.canAskElevated) {
    reportAnswer(workspace, evidence, "unanswered");
    return "unavailable";
  }
  // A program that asks a person shows them what a terminal would (C-DRV-01).
  const data = display.length === 0 ? authorisation.data : { ...authorisation.data, display: display.join("\n") };
  const question = elevatedQuestion(statement, display, authorisationDocument({ ...authorisation, data }));
  if (!isYes(await screen.ask(question, true))) {
    reportAnswer(workspace, evidence, "declined");
    return "no";
  }
  reportAnswer(workspace, evidence, "granted");
  screen.event("authorised", { kind: ELEVATED_ACTIONS[action], package: subject, text: statement });
  return evidence;
}

/**
 * Asks for every weakening of a repository's settings by itself (R-TRANS-04), and records each yes.
 *
 * @returns false when one was refused.
 * @throws {PeipkgError} `authorisation-required` where nobody can be asked.
 */
export async function askWeakenings(
  screen: Screen,
  workspace: Workspace,
  weakenings: readonly Weakening[],
): Promise<boolean> {
  const authorisations = weakenings.map(weakeningAuthorisation);
  for (const authorisation of authorisations) {
    const answer = await askElevated(screen, workspace, authorisation);
    if (answer === "unavailable") throw noTerminalError(authorisations);
    if (answer === "no") return false;
  }
  return true;
}

/** The failure of an elevated action nobody can be asked about (C-AUTH-04); every action is listed. */
export function noTerminalError(authorisations: readonly Authorisation[]): Error {
  return ruleError("E_AUTH_REQUIRED", "elevated authorisation is needed and there is no terminal to give it on", {
    lines: authorisations.map(authorisationText),
    more: { authorisations: authorisations.map(authorisationDocument).filter((document) => document !== undefined) },
  });
}

async function askModified(
  screen: Screen,
  path: string,
  name: string,
): Promise<"remove" | "keep" | "abort" | "unavailable"> {
  // Under --json only elevated questions are asked (C-JSON-07).
  const isSilent = screen.mode.json || !screen.terminal.isTerminal("stdin");
  if (isSilent && screen.mode.driven !== true) return "unavailable";
  return parseModifiedAnswer(await screen.ask(modifiedQuestion(path, name)));
}

async function collectAnswers(
  screen: Screen,
  workspace: Workspace,
  prepared: PreparedChange,
  isRoutine: boolean,
): Promise<ChangeAnswers | CancelReason> {
  const { authorisations } = prepared.plan;
  const evidence: AuthorisationEvidence[] = [];
  for (const authorisation of authorisations) {
    const answer = await askElevated(screen, workspace, authorisation, [], prepared.digest);
    if (answer === "unavailable") throw noTerminalError(authorisations);
    if (answer === "no") return "authorisation-declined";
    evidence.push(answer);
  }
  const modified = new Map<string, "remove" | "keep">();
  for (const file of prepared.modifiedFiles) {
    const answer = await askModified(screen, file.path, file.package);
    if (answer === "unavailable") throw modifiedError(prepared);
    if (answer === "abort") return "modified-abort";
    modified.set(file.path, answer);
  }
  if (!prepared.isMarksOnly && isRoutine && !isYes(await screen.ask(ROUTINE_QUESTION))) return "declined";
  return { evidence, modified, ask: (question) => answerLate(screen, workspace, question, prepared.digest) };
}

function modifiedError(prepared: PreparedChange): Error {
  return ruleError(
    "MODIFIED_FILES",
    "configuration files have been modified and there is no terminal to ask about them",
    {
      lines: prepared.modifiedFiles.map((file) => `${file.path} of ${file.package}`),
      hint: "use --modified keep, --modified remove or --modified abort",
      paths: prepared.modifiedFiles.map((file) => ({ path: file.path, package: file.package })),
    },
  );
}

/** Questions that only come up under the lock (C-PROMPT-03, T-INDET-08). */
export async function answerLate(
  screen: Screen,
  workspace: Workspace,
  question: LateQuestion,
  planDigest?: string,
): Promise<LateAnswer> {
  if (question.kind === "modified") {
    return { kind: "modified", decision: await askModified(screen, question.path, question.package) };
  }
  const answer = await askElevated(screen, workspace, question, question.display, planDigest);
  if (answer === "unavailable" && question.pending !== undefined) throw noTerminalError(question.pending);
  return typeof answer === "string"
    ? { kind: "authorise", answer }
    : { kind: "authorise", answer: "yes", evidence: answer };
}

// --- Afterwards ------------------------------------------------------------------------------------------------

/** `done — 1 operation applied` (C-PLAN-04) */
function doneText(operations: number): string {
  return `done — ${operations} ${operations === 1 ? "operation" : "operations"} applied`;
}

function tell(screen: Screen, prepared: PreparedChange, report: ChangeReport, wording: ChangeWording): void {
  showWarnings(screen, report.warnings, WARNING_CODES);
  if (report.kind === "cancelled") {
    cancelChange(screen, report.cancelReason ?? "declined");
    return;
  }
  for (const { name, reason } of report.marks) {
    screen.event("changed", { target: name, field: "automatic", value: reason === "dependency" });
    // C-MARK-02: a mark is all that naming an installed package can change.
    screen.info(`${escapeText(name)} is already installed; it is now marked ${reasonWord(reason)}`);
  }
  const operations = report.operations;
  let summary = doneText(operations);
  if (wording.done !== undefined) summary = wording.done(report);
  else if (prepared.request.options.fetchOnly) summary = `fetched ${report.fetched.length} package(s)`;
  else if (prepared.isMarksOnly) summary = "marked";
  if (!prepared.isMarksOnly) screen.info(summary);
  if (report.interruptedAfterCommit) {
    const text = "interrupted after the transaction had committed — the changes stand";
    screen.warn("W_COMMITTED_INTERRUPTED", WARNING_CODES.W_COMMITTED_INTERRUPTED, text);
  }
  // A-SDP-02: every descriptor is in the report, whoever brought it.
  for (const { path, package: name, state } of report.descriptors) {
    screen.line(escapeText(`security descriptor on ${path} (${name}): ${state.replace("-", " ")}`));
  }
  const overrides = report.descriptors.map(({ path, package: name, state }) => ({ path, package: name, state }));
  screen.end("done", {
    summary,
    transaction: report.transaction,
    operations,
    ...(overrides.length === 0 ? {} : { sd_overrides: overrides }),
    dry_run: false,
  });
}
