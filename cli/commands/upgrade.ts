/** `peipkg upgrade` */
import { auditPackages, type ChangeRequest, isPackageName, type PackageName } from "../../mod.ts";
import { hasFlag, optionList, type ParsedArguments } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageNames } from "../operands.ts";

type UpgradeRequest = Extract<ChangeRequest, { readonly kind: "upgrade" }>;

export function parseUpgrade(args: ParsedArguments, defaults: ChangeDefaults): UpgradeRequest {
  return {
    kind: "upgrade",
    names: readPackageNames(args, args.operands),
    exclude: readPackageNames(args, optionList(args.options, "exclude")),
    options: readChangeOptions(args, defaults),
  };
}

/** The packages of a request that `audit` reports, with the copy of advisories at hand (C-UPGRADE-05). */
async function vulnerableNames(invocation: Invocation): Promise<readonly PackageName[]> {
  const { vulnerable } = await auditPackages(await invocation.workspace(), {
    fetch: false,
    file: undefined,
    recursive: false,
    ignore: [],
    available: false,
    names: invocation.args.operands,
  });
  return [...new Set(vulnerable.map(({ name }) => name))].filter(isPackageName);
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { settings } = await invocation.workspace();
  const request = parseUpgrade(args, settings);
  if (!hasFlag(args.options, "vulnerable")) return await runChange(invocation, request);
  const names = await vulnerableNames(invocation);
  if (names.length > 0) return await runChange(invocation, { ...request, names });
  // Without names a full upgrade would be meant.
  screen.info("nothing to do — no package is known to be vulnerable");
  screen.end("done", { summary: "nothing to do", operations: 0, dry_run: hasFlag(args.options, "dry-run") });
  return 0;
}
