/** `peipkg-build unpack` */
import { unpackPackage } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [path = "", target = ""] = args.operands;
  const files = await unpackPackage(await invocation.session(), path, target, PRODUCER_LAYOUT);
  screen.document({ result: "unpacked", packages: [], files });
  screen.info(`unpacked ${files} files into ${escapeText(target)}`);
  return 0;
}
