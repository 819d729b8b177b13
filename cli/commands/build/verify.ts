/** `peipkg-build verify` */
import { type FileVerification, verifyPackageFile } from "../../../mod.ts";
import { optionList } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT, readFingerprint } from "../../producing.ts";

/** One line of the JSON lists of a checking command. */
interface Finding {
  readonly code: string;
  readonly path: string;
  readonly text: string;
}

function signerText({ verified, isSignatureChecked }: FileVerification): string {
  const fingerprint = verified?.fingerprint;
  if (fingerprint === undefined) return "(unsigned)";
  return isSignatureChecked ? `(signed by ${fingerprint})` : "(signature not checked)";
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const session = await invocation.session();
  const expectation = {
    keys: optionList(args.options, "key"),
    fingerprints: optionList(args.options, "fingerprint").map((item) => readFingerprint(args, item)),
    requireSignature: args.options["require-signature"] === true,
  };
  const issues: Finding[] = [];
  const warnings: Finding[] = [];
  for (const path of args.operands) {
    const result = await verifyPackageFile(session, path, expectation, PRODUCER_LAYOUT);
    for (const { message, code, detail } of result.violations) {
      issues.push({ code: detail.rule ?? code, path, text: message });
      screen.aside(escapeText(`${path}: FAILED: ${message}`));
    }
    for (const { rule, text } of result.verified?.warnings ?? []) {
      warnings.push({ code: rule, path, text });
      screen.aside(`${screen.mode.program}: warning: ${escapeText(`${path}: ${text}`)}`);
    }
    if (result.violations.length === 0) screen.line(escapeText(`${path}: OK ${signerText(result)}`));
  }
  screen.document({ ok: issues.length === 0, issues, warnings });
  return issues.length === 0 ? 0 : 1;
}
