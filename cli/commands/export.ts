/** `peipkg export` */
import { listPackages, type PackageLine } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

export const EXPORT_HEADER = "# peipkg export 1";

/** Lines of C-EXPORT-01. */
export function exportLines(items: readonly PackageLine[], withVersions: boolean): readonly string[] {
  return [
    EXPORT_HEADER,
    ...items.map(({ name, version, isAutomatic }) =>
      escapeText(`${name}${withVersions ? ` = ${version}` : ""}${isAutomatic ? " auto" : ""}`)
    ),
  ];
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  const items = listPackages(workspace, hasFlag(args.options, "manual") ? { mark: "manual" } : {});
  const architecture = workspace.read((database) => workspace.architecture(database));
  screen.document({
    export: 1,
    architecture,
    packages: items.map(({ name, version, isAutomatic, origin }) => ({
      name,
      version,
      automatic: isAutomatic,
      origin: origin ?? "",
    })),
  });
  screen.lines(exportLines(items, hasFlag(args.options, "versions")));
  return 0;
}
