/** `peipkg backup` */
import { type BackupReport, backupTo, backupToFile } from "../../mod.ts";
import { UsageError } from "../arguments.ts";
import { quote } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

async function writeToStdout({ args, screen, workspace }: Invocation): Promise<BackupReport> {
  if (screen.mode.json) {
    throw new UsageError(args.words, "standard output cannot carry both a backup and --json", { path: args.path });
  }
  if (screen.terminal.isTerminal("stdout")) {
    throw new UsageError(args.words, "a backup is not for a terminal", { path: args.path });
  }
  return await backupTo(await workspace(), (bytes) => screen.rawBytes(bytes));
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, workspace } = invocation;
  const [path = "-"] = args.operands;
  if (path === "-") {
    await writeToStdout(invocation);
    return 0;
  }
  const { packages } = await backupToFile(await workspace(), path);
  const summary = `backed up ${packages} package record(s) to`;
  screen.event("file", { path, action: "written" });
  screen.info(`${summary} ${quote(path)}`);
  screen.end("done", { summary: `${summary} ${path}`, dry_run: false });
  return 0;
}
