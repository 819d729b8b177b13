/** `peipkg lock`, `peipkg unlock` */
import { listPackages, lockPackages } from "../../mod.ts";
import { hasFlag, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";
import { renderColumns } from "../render/listing.ts";

/** C-LOCK-03: what is locked, or only whether anything is. */
async function show({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const items = listPackages(await workspace(), { locked: true });
  if (hasFlag(args.options, "has-locked")) return items.length > 0 ? 0 : 1;
  screen.document(items.map(({ name, version }) => ({ name, version })));
  for (const line of renderColumns(items.map(({ name, version }) => [name, version].map(escapeText)))) {
    screen.line(line);
  }
  return 0;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { options, operands } = args;
  const isReading = hasFlag(options, "list") || hasFlag(options, "has-locked");
  const isAll = hasFlag(options, "all");
  // Exactly one of names and an option says what is meant.
  if ((operands.length > 0) === (isAll || isReading)) {
    const message = operands.length > 0
      ? "package names and an option that stands for them exclude each other"
      : "at least one package name is required";
    throw new UsageError(args.words, message, { path: args.path });
  }
  if (isReading) return await show(invocation);
  const locks = args.path[0] === "lock";
  const outcomes = await lockPackages(await invocation.workspace(), locks, readPatterns(args, operands));
  for (const { name, version, changed } of outcomes) {
    if (changed) screen.event("changed", { target: name, field: "locked", value: locks });
    const text = escapeText(name);
    if (changed) screen.info(`${locks ? "locked" : "unlocked"} ${text} ${escapeText(version)}`);
    else screen.info(locks ? `${text} is already locked` : `${text} is not locked`);
  }
  return 0;
}
