/** `peipkg repo keys` */
import { groupFingerprint, listRepositoryKeys } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [name = ""] = args.operands;
  const keys = listRepositoryKeys(await workspace(), name);
  screen.document(keys.map((key) => ({
    fingerprint: key.fingerprint,
    status: key.status,
    valid_until: key.validUntil,
  })));
  for (const { fingerprint, status, validUntil } of keys) {
    const until = validUntil === undefined ? "" : `  until ${escapeText(validUntil)}`;
    screen.line(`${groupFingerprint(fingerprint)}  ${status}${until}`);
  }
  return 0;
}
