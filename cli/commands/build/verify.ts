/** `peipkg-build verify` */
import { type FileVerification, verifyPackageFile } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { listOption, PRODUCER_LAYOUT, readFingerprint } from "../../producing.ts";

function good({ verified, isSignatureChecked }: FileVerification): string {
  const fingerprint = verified?.fingerprint;
  if (fingerprint === undefined) return "OK (unsigned)";
  return isSignatureChecked ? `OK (signed by ${fingerprint})` : `OK (signed by ${fingerprint}) (signature not checked)`;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const session = await invocation.session();
  const expectation = {
    keys: listOption(args, "key"),
    fingerprints: listOption(args, "fingerprint").map((item) => readFingerprint(args, item)),
    requireSignature: args.options["require-signature"] === true,
  };
  const results: FileVerification[] = [];
  for (const path of args.operands) {
    const result = await verifyPackageFile(session, path, expectation, PRODUCER_LAYOUT);
    results.push(result);
    if (result.violations.length === 0) screen.info(`${escapeText(path)}: ${good(result)}`);
    for (const { message, code, detail } of result.violations) {
      screen.aside(`${escapeText(path)}: FAILED: ${escapeText(message)} [${code}: ${detail.rule ?? code}]`);
    }
  }
  const isGood = results.every(({ violations }) => violations.length === 0);
  screen.document({
    ok: isGood,
    files: results.map(({ path, verified, isSignatureChecked, violations }) => ({
      path,
      ok: violations.length === 0,
      ...(verified?.fingerprint === undefined ? {} : { fingerprint: verified.fingerprint }),
      signature_checked: isSignatureChecked,
      issues: violations.map(({ code, message, detail }) => ({ code, rule: detail.rule, text: message })),
    })),
  });
  return isGood ? 0 : 1;
}
