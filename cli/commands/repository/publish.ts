/** `peipkg-repo publish` */
import { publishRepository } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { listOption, openSignKey, PRODUCER_LAYOUT, requiredTimestamp, textOption } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const urlTemplate = textOption(args, "url-template");
  const out = textOption(args, "out");
  const result = await publishRepository({ session: await invocation.session(), layout: PRODUCER_LAYOUT }, {
    directory: args.operands[0] ?? "",
    signingKey: await openSignKey(invocation),
    timestamp: requiredTimestamp(invocation),
    ...(urlTemplate === undefined ? {} : { urlTemplate }),
    ...(out === undefined ? {} : { out }),
    withdraw: listOption(args, "withdraw"),
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
