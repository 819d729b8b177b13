/** `peipkg self verify` */
import { verifySelf } from "../../../mod.ts";
import { optionList, optionText, UsageError } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { readFingerprint } from "../../producing.ts";

export async function run({ args, screen, session }: Invocation): Promise<0 | 1> {
  const [sums = ""] = args.operands;
  const keys = optionList(args.options, "key");
  const signature = optionText(args.options, "signature");
  if (keys.length === 0) throw new UsageError(args.words, "option --key is required", { path: args.path });
  const found = await verifySelf(await session(), {
    sums,
    keys,
    fingerprints: optionList(args.options, "fingerprint").map((item) => readFingerprint(args, item)),
    ...(signature === undefined ? {} : { signature }),
  });
  screen.document({
    path: found.path,
    sha256: found.sha256,
    listed_as: found.listedAs,
    signed_by: found.signedBy,
  });
  screen.line(escapeText(`${found.path}: OK, ${found.listedAs.join(", ")} (signed by ${found.signedBy})`));
  return 0;
}
