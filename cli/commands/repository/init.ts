/** `peipkg-repo init` */
import { initRepository, readPublicKeyFile } from "../../../mod.ts";
import { optionList, optionText } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { openSignKey, PRODUCER_LAYOUT, requiredOption, requiredTimestamp } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const session = await invocation.session();
  const directory = args.operands[0] ?? "";
  const name = requiredOption(args, "name");
  const signingKey = await openSignKey(invocation);
  const description = optionText(args.options, "description");
  await initRepository({ session, layout: PRODUCER_LAYOUT }, {
    directory,
    name,
    ...(description === undefined ? {} : { description }),
    signingKey,
    extraKeys: optionList(args.options, "extra-key").map((path) => readPublicKeyFile(session, path)),
    timestamp: requiredTimestamp(invocation),
  });
  screen.document({ result: "initialised", index_version: 1, packages: [], fingerprints: [signingKey.fingerprint] });
  screen.info(`initialised repository "${escapeText(name)}" at ${escapeText(directory)}`);
  return 0;
}
