/** `peipkg-repo add` */
import { addPackages } from "../../../mod.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [directory = "", ...paths] = args.operands;
  const { added, skipped } = await addPackages({ session: await invocation.session(), layout: PRODUCER_LAYOUT }, {
    directory,
    paths,
  });
  screen.document({ result: "added", packages: added, skipped });
  const tail = skipped.length === 0 ? "" : `, ${skipped.length} already there`;
  if (added.length === 0) screen.info(`added 0 package(s)${tail}`);
  else screen.info(`added ${added.length} package(s)${tail}; run publish to make them available`);
  return 0;
}
