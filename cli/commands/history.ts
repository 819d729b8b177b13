/** `peipkg history` */
import {
  formatTimestamp,
  type HistoryEntry,
  PeipkgError,
  transactionEntry,
  transactionFiles,
  transactionHistory,
} from "../../mod.ts";
import { optionNumber, optionText, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageName } from "../operands.ts";
import { planLine } from "../render/plan.ts";

const DEFAULT_COUNT = 20;
const STATE_WIDTH = 11;

/** Lines of C-HIST-01, escaped. */
function historyLines(entries: readonly HistoryEntry[]): readonly string[] {
  const width = Math.max(0, ...entries.map(({ id }) => String(id).length));
  return entries.map(({ id, startedAt, state, summary }) =>
    `${String(id).padStart(width)}  ${formatTimestamp(startedAt)}  ${state.padEnd(STATE_WIDTH)}  ${escapeText(summary)}`
  );
}

/** A recorded operation as a plan line; of a claim, `from` and `to` are holders. */
function operationLine({ action, name, from, to }: HistoryEntry["operations"][number]): string {
  if (action === "claim") {
    return planLine("claim", escapeText(`${name} -> ${to ?? "-"}${from === undefined ? "" : `  (was ${from})`}`));
  }
  const versions = from !== undefined && to !== undefined && from !== to ? `${from} -> ${to}` : to ?? from ?? "";
  return planLine(action, escapeText(`${name} ${versions}`));
}

function entryDocument(entry: HistoryEntry): Readonly<Record<string, unknown>> {
  return {
    id: entry.id,
    state: entry.state,
    started_at: formatTimestamp(entry.startedAt),
    finished_at: entry.finishedAt === undefined ? undefined : formatTimestamp(entry.finishedAt),
    summary: entry.summary,
    operations: entry.operations,
    by_version: entry.byVersion,
  };
}

function readId(args: Invocation["args"], word: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(word)) return Number(word);
  throw new UsageError(args.words, `"${word}" is not the number of a transaction`, { path: args.path });
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [word] = args.operands;
  if (word !== undefined) {
    const id = readId(args, word);
    const workspace = await invocation.workspace();
    const entry = transactionEntry(workspace, id);
    if (entry === undefined) throw new PeipkgError("failed", `there is no transaction ${id}`, { transaction: id });
    const files = screen.mode.verbose > 0 ? transactionFiles(workspace, id) : undefined;
    screen.document({ ...entryDocument(entry), files });
    screen.lines([...historyLines([entry]), ...entry.operations.map(operationLine)]);
    for (const { action, path } of files ?? []) screen.line(planLine(action, escapeText(path)));
    return 0;
  }
  const count = optionNumber(args.options, "count") ?? DEFAULT_COUNT;
  const name = optionText(args.options, "package");
  const entries = transactionHistory(await invocation.workspace(), {
    ...(count === 0 ? {} : { limit: count }),
    ...(name === undefined ? {} : { package: readPackageName(args, name) }),
  });
  screen.document(entries.map(entryDocument));
  screen.lines(historyLines(entries));
  if (entries.length === 0) screen.line("no transactions recorded");
  return 0;
}
