/** `peipkg restore` */
import { planRestore, restoreBackup, type RestorePlan } from "../../mod.ts";
import { mayProceed } from "../change.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

/** What the operator decides on (C-BACKUP-02); with names when asked for detail. */
function restoreLines(plan: RestorePlan, isVerbose: boolean): readonly string[] {
  const { header, added, dropped, changed } = plan;
  const counts: readonly (readonly [string, readonly string[]])[] = [
    ["added", added],
    ["dropped", dropped],
    ["changed", changed],
  ];
  return [
    escapeText(`backup of ${header.root}, made ${header.createdAt}: ${header.packages} package record(s)`),
    ...counts.map(([what, names]) => {
      const tail = isVerbose && names.length > 0 ? `: ${names.join(", ")}` : "";
      return escapeText(`  ${names.length} would be ${what}${tail}`);
    }),
  ];
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  const plan = await planRestore(workspace, args.operands[0] ?? "");
  screen.lines(restoreLines(plan, screen.mode.verbose > 0));
  if (!await mayProceed(invocation)) return 0;
  const { packages, keptAt } = await restoreBackup(workspace, plan);
  const summary = `restored ${packages} package record(s)`;
  screen.info(`kept what was replaced in ${escapeText(keptAt)}`);
  screen.info(`${summary}; run 'peipkg check' to compare them with the files`);
  screen.end("done", { summary, dry_run: false });
  return 0;
}
