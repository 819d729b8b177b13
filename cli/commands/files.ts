/** `peipkg files` */
import { packageFiles } from "../../mod.ts";
import { optionText } from "../arguments.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageNames } from "../operands.ts";
import { printValues, wantsNull } from "../render/listing.ts";

const TYPES = ["file", "dir", "symlink"] as const;

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  wantsNull(invocation);
  const names = readPackageNames(args, args.operands);
  const wanted = optionText(args.options, "type");
  const type = TYPES.find((word) => word === wanted);
  const workspace = await invocation.workspace();
  const files = names.flatMap((name) => packageFiles(workspace, name, type));
  screen.document(files.map((file) => ({ path: file.path, type: file.type, target: file.target, sha256: file.hash })));
  printValues(invocation, files.map((file) => file.path));
  return 0;
}
