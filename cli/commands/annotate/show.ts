/** `peipkg annotate get`, `peipkg annotate list` */
import { listAnnotations, readPackageAnnotation } from "../../../mod.ts";
import { optionText } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { readPackageName, readPatterns } from "../../operands.ts";
import { renderColumns } from "../../render/listing.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  if (args.path.at(-1) === "get") {
    const [word = "", tag = ""] = args.operands;
    const name = readPackageName(args, word);
    const value = readPackageAnnotation(await workspace(), name, tag);
    screen.document([{ name, tag, value }]);
    screen.line(escapeText(value));
    return 0;
  }
  const patterns = readPatterns(args, args.operands);
  const tag = optionText(args.options, "tag");
  const items = listAnnotations(await workspace(), { patterns, ...(tag === undefined ? {} : { tag }) });
  screen.document(items.map((item) => ({ name: item.package, tag: item.tag, value: item.value })));
  for (const line of renderColumns(items.map((item) => [item.package, item.tag, item.value].map(escapeText)))) {
    screen.line(line);
  }
  return 0;
}
