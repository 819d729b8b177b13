/** `peipkg recover` */
import {
  acceptRecovery,
  type Authorisation,
  formatTimestamp,
  recoverInstallation,
  type RecoveryDocument,
  reportRecovery,
  undecidedTransaction,
} from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { answerLate, askElevated, cancelChange, noTerminalError } from "../change.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { planLine } from "../render/plan.ts";
import { problemDocument, problemText } from "./verify.ts";

/** C-RECOVER-05; nothing pending gives empty lists. */
function reportDocument(report: RecoveryDocument | undefined): unknown {
  return {
    transaction: report?.transaction === undefined ? undefined : transactionDocument(report.transaction),
    operations: (report?.operations ?? []).map(({ subject, action, from, to, origin }) => ({
      action,
      name: subject,
      from,
      to,
      origin,
    })),
    files: report?.files ?? [],
    differing: (report?.differing ?? []).map(problemDocument),
    database: report?.database ?? [],
    strays: (report?.strays ?? []).map(({ path, transaction, isNamed }) => ({ path, transaction, named: isNamed })),
    retained: report?.retained ?? [],
    filesystems: (report?.filesystems ?? []).map(({ mount, availableBytes, inodesFree, readOnly }) => ({
      mount,
      available: availableBytes,
      inodes_free: inodesFree,
      read_only: readOnly,
    })),
    gaps: report?.gaps ?? [],
    saved_as: report?.savedAs,
  };
}

function transactionDocument(transaction: NonNullable<RecoveryDocument["transaction"]>): unknown {
  return {
    id: transaction.id,
    kind: transaction.kind,
    phase: transaction.phase,
    started_at: formatTimestamp(transaction.startedAt),
    summary: transaction.summary,
    by_version: transaction.startedByVersion,
    indeterminate: transaction.isIndeterminate,
    failure: transaction.failureCode,
  };
}

function section(heading: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${heading}:`, ...lines.map((line) => `  ${escapeText(line)}`)];
}

/** The report for people, escaped. */
function reportLines(report: RecoveryDocument | undefined): readonly string[] {
  if (report === undefined) return ["there is no database to report on"];
  const { transaction } = report;
  const state = transaction?.isIndeterminate === true ? "could not be rolled back completely" : "was interrupted";
  return [
    transaction === undefined
      ? "no interrupted transaction"
      : `transaction ${transaction.id} ${state} while ${transaction.phase}`,
    ...report.operations.map(({ action, subject, from, to }) =>
      planLine(action, escapeText([subject, from, to].filter((part) => part !== undefined).join(" ")))
    ),
    ...section(
      "files of the transaction",
      report.files.map((file) =>
        `${file.path}: ${file.action}; found ${file.final}, staged ${file.staged}, backup ${file.backup} (${file.decision})`
      ),
    ),
    ...section(
      "recorded files that differ",
      report.differing.map((problem) => `${problem.package}: ${problem.path} ${problemText(problem)}`),
    ),
    ...section("database records that disagree", report.database),
    ...section(
      "stray files",
      report.strays.map(({ path, transaction: id, isNamed }) =>
        `${path}${id === undefined ? "" : ` of transaction ${id}`}${isNamed ? "" : ", in no record"}`
      ),
    ),
    ...section(
      "kept files",
      report.retained.map(({ transaction: id, original, place, exists }) =>
        `${original ?? "content"} of transaction ${id} at ${place}${exists ? "" : ", which is missing"}`
      ),
    ),
    ...section(
      "file systems",
      report.filesystems.map(({ mount, availableBytes, readOnly }) =>
        `${mount}: ${availableBytes} bytes available${readOnly ? ", read-only" : ""}`
      ),
    ),
    ...section("not looked at", report.gaps),
    ...(report.savedAs === undefined ? [] : [`saved as ${escapeText(report.savedAs)}`]),
  ];
}

async function accept(invocation: Invocation): Promise<0 | 1> {
  const { screen } = invocation;
  const workspace = await invocation.workspace();
  const id = undecidedTransaction(workspace);
  const authorisation: Authorisation = {
    action: "AUTH_RECOVERY",
    subject: String(id ?? ""),
    data: { transaction: String(id ?? "") },
  };
  // Without anything undecided there is nothing to ask about; the library says so.
  const answer = id === undefined
    ? { action: authorisation.action, subject: "", statement: "", method: "tty" } as const
    : await askElevated(screen, workspace, authorisation);
  if (answer === "unavailable") throw noTerminalError([authorisation]);
  if (answer === "no") return cancelChange(screen, "authorisation-declined");
  screen.passPrompts();
  const differing = await acceptRecovery(workspace, answer);
  const summary = `accepted the files as they are; transaction ${id ?? ""} was given up`;
  screen.info(summary);
  for (const path of differing) screen.line(`  ${escapeText(path)} differs from what is recorded`);
  screen.end("done", { summary, dry_run: false });
  return 0;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  if (hasFlag(args.options, "report")) {
    const report = await reportRecovery(workspace);
    screen.document(reportDocument(report));
    screen.lines(reportLines(report));
    return 0;
  }
  if (hasFlag(args.options, "accept")) return await accept(invocation);
  const result = await recoverInstallation(workspace, (question) => answerLate(screen, workspace, question));
  const summary = result.kind === "nothing"
    ? "no interrupted transaction to recover"
    : "recovered: the interrupted transaction was rolled back";
  screen.info(summary);
  if (result.kind === "rolled-back") {
    for (const { path, place } of result.displaced) {
      screen.event("file", { path, action: "displaced" });
      screen.info(`moved aside ${escapeText(path)} to ${escapeText(place)}`);
    }
  }
  screen.end("done", { summary, dry_run: false });
  return 0;
}
