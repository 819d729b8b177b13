/** `peipkg mark manual`, `peipkg mark auto` */
import { markPackages } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { readPatterns } from "../../operands.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const mark = args.path.at(-1) === "auto" ? "auto" : "manual";
  const names = readPatterns(args, args.operands);
  const outcomes = await markPackages(await invocation.workspace(), mark, names);
  for (const { name, changed } of outcomes) {
    if (changed) screen.event("changed", { target: name, field: "automatic", value: mark === "auto" });
    screen.info(changed ? `marked ${escapeText(name)} ${mark}` : `${escapeText(name)} is already marked ${mark}`);
  }
  return 0;
}
