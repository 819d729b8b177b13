/** `peipkg-repo keygen` */
import { generateKey, groupFingerprint } from "../../../mod.ts";
import type { Invocation } from "../../invocation.ts";
import { requiredOption } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const path = requiredOption(args, "out");
  const fingerprint = await generateKey(await invocation.session(), path, args.options.raw === true);
  screen.document({ result: "generated", packages: [], fingerprints: [fingerprint] });
  screen.line(fingerprint);
  screen.line(groupFingerprint(fingerprint));
  return 0;
}
