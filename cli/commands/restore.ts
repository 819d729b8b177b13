/** `peipkg restore` */
import { planRestore, restoreBackup } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { cancelChange } from "../change.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { isYes, ROUTINE_QUESTION } from "../prompt.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  const plan = await planRestore(workspace, args.operands[0] ?? "");
  screen.line(
    `restoring would add ${plan.added.length}, drop ${plan.dropped.length} and change ${plan.changed.length} ` +
      "package record(s)",
  );
  for (const [verb, names] of [["add", plan.added], ["drop", plan.dropped], ["change", plan.changed]] as const) {
    for (const name of names) screen.narrate(`${verb} ${name}`);
  }
  if (hasFlag(args.options, "dry-run")) {
    screen.line("(dry run — no changes were made)");
    screen.end("done", { summary: "dry run", dry_run: true });
    return 0;
  }
  if (!invocation.assumeYes && !isYes(await screen.ask(ROUTINE_QUESTION))) return cancelChange(screen, "declined");
  screen.passPrompts();
  const { packages, keptAt } = await restoreBackup(workspace, plan);
  const summary = `restored ${packages} package record(s)`;
  screen.info(summary);
  screen.info(`what they replaced is kept at ${escapeText(keptAt)}; run 'peipkg check' to compare with the files`);
  screen.end("done", { summary, dry_run: false });
  return 0;
}
