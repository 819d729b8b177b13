/** `peipkg sbom` */
import { describeInventory, type InventoryRequest, writeInventory } from "../../mod.ts";
import { hasFlag, optionText, type ParsedArguments, UsageError } from "../arguments.ts";
import { renderJson } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";

/** @param epoch `SOURCE_DATE_EPOCH`; empty counts as unset (C-CONF-03). */
function parseSbom(args: ParsedArguments, epoch: string | undefined): InventoryRequest {
  const isSet = epoch !== undefined && epoch !== "";
  if (isSet && !/^[0-9]{1,11}$/.test(epoch)) {
    throw new UsageError(args.words, `SOURCE_DATE_EPOCH is "${epoch}", seconds since 1970 are required`, {
      path: args.path,
    });
  }
  return {
    format: optionText(args.options, "format") === "cyclonedx" ? "cyclonedx" : "spdx",
    files: hasFlag(args.options, "files"),
    names: readPatterns(args, args.operands),
    timestamp: isSet ? Number(epoch) : undefined,
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, world } = invocation;
  const request = parseSbom(args, world.environment.get("SOURCE_DATE_EPOCH"));
  const workspace = await invocation.workspace();
  const text = `${renderJson(await describeInventory(workspace, request), 2)}\n`;
  const out = optionText(args.options, "out");
  if (out === undefined) screen.raw(text);
  else await writeInventory(workspace, out, text);
  return 0;
}
