/** `peipkg backup` */
import { backupTo, backupToFile } from "../../mod.ts";
import { UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [path = ""] = args.operands;
  if (path === "-") {
    // The snapshot itself goes to stdout, so nothing else may.
    if (screen.mode.json) throw new UsageError(args.words, "- and --json exclude each other", { path: args.path });
    if (screen.terminal.isTerminal("stdout")) {
      throw new UsageError(args.words, "a backup is not for a terminal", { path: args.path });
    }
    await backupTo(await invocation.workspace(), (bytes) => screen.rawBytes(bytes));
    return 0;
  }
  const { packages } = await backupToFile(await invocation.workspace(), path);
  const summary = `backed up ${packages} package record(s) to ${path}`;
  screen.event("file", { path, action: "written" });
  screen.info(escapeText(summary));
  screen.end("done", { summary, dry_run: false });
  return 0;
}
