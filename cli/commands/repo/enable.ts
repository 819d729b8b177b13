/** `peipkg repo enable`, `peipkg repo disable` */
import { setRepositoryEnabled } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [name = ""] = args.operands;
  const isEnabling = args.path.at(-1) === "enable";
  const word = isEnabling ? "enabled" : "disabled";
  const hasChanged = setRepositoryEnabled(await workspace(), name, isEnabling);
  if (hasChanged) screen.event("changed", { target: name, field: "enabled", value: isEnabling });
  const summary = hasChanged ? `${word} repository "${name}"` : `repository "${name}" is already ${word}`;
  screen.info(escapeText(summary));
  screen.end("done", { summary, dry_run: false });
  return 0;
}
