/** `peipkg-repo verify` */
import { checkRepository } from "../../../mod.ts";
import { optionList, optionText } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT, readFingerprint } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const session = await invocation.session();
  const mode = optionText(args.options, "mode");
  const { issues, warnings } = await checkRepository({ session, layout: PRODUCER_LAYOUT }, {
    directory: args.operands[0] ?? "",
    mode: mode === "metadata" || mode === "hashes" ? mode : "both",
    anchors: optionList(args.options, "anchor").map((item) => readFingerprint(args, item)),
    now: session.system.now(),
  });
  screen.document({ ok: issues.length === 0, issues, warnings });
  for (const { text, path } of issues) {
    screen.aside(escapeText(`FAIL: ${path === undefined ? "" : `${path}: `}${text}`));
  }
  for (const { text, path } of warnings) {
    screen.aside(escapeText(`WARN: ${path === undefined ? "" : `${path}: `}${text}`));
  }
  if (issues.length > 0) {
    screen.aside(`peipkg-repo: verify: ${issues.length} issue(s) found`);
    return 1;
  }
  screen.info("OK");
  return 0;
}
