/** `peipkg-repo publish` */
import { publishRepository } from "../../../mod.ts";
import { optionList, optionText } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { openSignKey, PRODUCER_LAYOUT, requiredTimestamp } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const urlTemplate = optionText(args.options, "url-template");
  const out = optionText(args.options, "out");
  const result = await publishRepository({ session: await invocation.session(), layout: PRODUCER_LAYOUT }, {
    directory: args.operands[0] ?? "",
    signingKey: await openSignKey(invocation),
    timestamp: requiredTimestamp(invocation),
    ...(urlTemplate === undefined ? {} : { urlTemplate }),
    ...(out === undefined ? {} : { out }),
    withdraw: optionList(args.options, "withdraw"),
    rebuild: args.options.rebuild === true,
    refreshDate: args.options["refresh-date"] === true,
  });
  if (result.kind === "nothing") {
    screen.document({ result: "nothing", index_version: result.indexVersion, packages: [] });
    screen.info("nothing to publish");
    return 0;
  }
  const { indexVersion, packages } = result;
  screen.document({ result: "published", index_version: indexVersion, packages });
  screen.info(`published index_version ${indexVersion} (${packages.length} new packages)`);
  for (const { file } of packages) screen.info(`  + ${escapeText(file)}`);
  return 0;
}
