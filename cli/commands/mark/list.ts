/** `peipkg mark list` */
import { listPackages } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { renderColumns } from "../../render/listing.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [mark] = args.operands;
  const items = listPackages(await workspace(), mark === "manual" || mark === "auto" ? { mark } : {});
  screen.document(items.map(({ name, version, isAutomatic }) => ({ name, version, automatic: isAutomatic })));
  const rows = items.map(({ name, isAutomatic }) => [escapeText(name), isAutomatic ? "auto" : "manual"]);
  screen.lines(renderColumns(rows));
  return 0;
}
