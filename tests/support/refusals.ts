/** What failures are refused by, as tests ask for it. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../core/errors.ts";

/** The rule a call is refused by; `undefined` when it succeeds. */
export function ruleOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (cause) {
    if (cause instanceof PeipkgError && cause.detail.rule !== undefined) return cause.detail.rule;
    throw cause;
  }
}

/** The rule of a failure, or its code where it has none; anything else as text. */
export function ruleOrCode(error: unknown): string {
  return error instanceof PeipkgError ? error.detail.rule ?? error.code : String(error);
}

/** For `assert.throws()` and `assert.rejects()`: the failure is refused by one of these rules. */
export function refusedBy(...rules: readonly string[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof PeipkgError, String(error));
    assert.ok(rules.includes(error.detail.rule ?? ""), `${error.detail.rule}: ${error.message}`);
    return true;
  };
}
