/** `peipkg schema` */
import { hasFlag, UsageError } from "../arguments.ts";
import { renderJson } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { schemaDocument, schemaNames } from "../json_documents.ts";

export function run({ args, screen }: Invocation): Promise<0 | 1> {
  const [name] = args.operands;
  const isList = hasFlag(args.options, "list");
  if (isList === (name !== undefined)) {
    throw new UsageError(args.words, "exactly one schema name, or --list, is required", { path: args.path });
  }
  if (name === undefined) {
    for (const known of schemaNames()) screen.line(known);
    return Promise.resolve(0);
  }
  const document = schemaDocument(name);
  if (document === undefined) {
    throw new UsageError(args.words, `there is no schema "${name}"`, {
      near: { word: name, among: schemaNames() },
      hint: "use --list to see them",
    });
  }
  screen.line(renderJson(document, 2));
  return Promise.resolve(0);
}
