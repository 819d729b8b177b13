/** `peipkg-repo init` */
import { initRepository, readPublicKeyFile } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import {
  listOption,
  openSignKey,
  PRODUCER_LAYOUT,
  requiredOption,
  requiredTimestamp,
  textOption,
} from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const session = await invocation.session();
  const directory = args.operands[0] ?? "";
  const name = requiredOption(args, "name");
  const signingKey = await openSignKey(invocation);
  const description = textOption(args, "description");
  await initRepository({ session, layout: PRODUCER_LAYOUT }, {
    directory,
    name,
    ...(description === undefined ? {} : { description }),
    signingKey,
    extraKeys: listOption(args, "extra-key").map((path) => readPublicKeyFile(session, path)),
    timestamp: requiredTimestamp(invocation),
  });
  screen.document({ result: "initialised", index_version: 1, packages: [], fingerprints: [signingKey.fingerprint] });
  screen.info(`initialised repository "${escapeText(name)}" at ${escapeText(directory)}`);
  return 0;
}
