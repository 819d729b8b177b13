import assert from "node:assert/strict";
import { UsageError } from "../../../cli/arguments.ts";
import { ERROR_MEANINGS } from "../../../cli/error_codes.ts";
import {
  describeFailure,
  failureDocument,
  failureEvent,
  renderFailure,
  toSnakeCase,
} from "../../../cli/render/diagnostic.ts";
import type { Screen, ScreenMode } from "../../../cli/screen.ts";
import { type ErrorCode, PeipkgError, RULE_CODES, ruleError, SystemCallError } from "../../../mod.ts";
import { screenOf } from "../support/screens.ts";

const removing = (more: Partial<ScreenMode> = {}): Screen => screenOf({ words: "remove", ...more });

const BLOCKED = ruleError("E_REMOVAL_BLOCKED", '"libfoo" is needed by other installed packages', {
  lines: ["tool-a 2.1-1 needs libfoo >= 3.0", "tool-b 1.0-4 needs libfoo"],
  hint: "use --cascade to remove them too",
  more: { chain: ["remove libfoo"], considered: [], blockers: [{ package: "tool-a", dependency: "libfoo" }] },
});

Deno.test("C-ERR-01, C-ERR-02: cause in one line, particulars indented, the way on last", () => {
  assert.deepEqual(renderFailure(removing(), describeFailure(BLOCKED)), [
    'peipkg: remove: "libfoo" is needed by other installed packages',
    "  tool-a 2.1-1 needs libfoo >= 3.0",
    "  tool-b 1.0-4 needs libfoo",
    "use --cascade to remove them too",
  ]);
  const outside = renderFailure(removing({ words: "" }), describeFailure(new UsageError("", "a command is required")));
  assert.deepEqual(outside, ["peipkg: a command is required"]);
});

Deno.test("C-ERR-06, C-ERR-08: -v shows the code, -vv the rule and the causes as well", () => {
  const failure = describeFailure(
    ruleError("E_TAR_MODE", "cannot read it", { cause: new Error("behind", { cause: new Error("deeper") }) }),
  );
  assert.deepEqual(renderFailure(removing(), failure), ["peipkg: remove: cannot read it"]);
  assert.deepEqual(renderFailure(removing({ verbose: 1 }), failure), ["peipkg: remove: cannot read it [format]"]);
  assert.deepEqual(renderFailure(removing({ verbose: 2 }), failure), [
    "peipkg: remove: cannot read it [format: E_TAR_MODE]",
    "  caused by: Error: behind",
    "  caused by: Error: deeper",
  ]);
});

Deno.test("C-ESC-01, C-ESC-04, T-CONV-04: every part of a failure is escaped", () => {
  const error = new PeipkgError("failed", "a\x1b", { lines: ["b\n"], hint: "c\u202e" });
  assert.deepEqual(renderFailure(removing(), describeFailure(error)), [
    "peipkg: remove: a\\x1B",
    "  b\\n",
    "c\\u{202E}",
  ]);
});

Deno.test("C-JSON-04, C-JSON-13: the error object and the error event carry rule, hint and the members of the code", () => {
  const failure = describeFailure(BLOCKED);
  const details = {
    rule: "E_REMOVAL_BLOCKED",
    chain: ["remove libfoo"],
    considered: [],
    blockers: [{ package: "tool-a", dependency: "libfoo" }],
    hint: "use --cascade to remove them too",
  };
  assert.deepEqual(failureDocument("remove", failure), {
    error: {
      code: "unresolvable",
      message: '"libfoo" is needed by other installed packages',
      command: "remove",
      details: { reason: "removal-blocked", ...details },
    },
  });
  const { reason, details: members, rolled_back: rolledBack } = failureEvent(failure);
  assert.deepEqual([reason, members, rolledBack], ["removal-blocked", details, false]);
});

Deno.test("C-JSON-02, C-JSON-13: members that are always present are there when empty", () => {
  const cases: readonly (readonly [ErrorCode, Readonly<Record<string, unknown>>])[] = [
    ["unresolvable", { chain: [], considered: [] }],
    ["collision", { paths: [] }],
    ["no-space", { filesystems: [] }],
    ["authorisation-required", { authorisations: [] }],
    ["undo-unavailable", { packages: [] }],
  ];
  for (const [code, expected] of cases) assert.deepEqual(describeFailure(new PeipkgError(code, "x")).details, expected);
});

Deno.test("C-JSON-01: names are snake_case at every depth and counters of 64 bits are text", () => {
  assert.deepEqual(toSnakeCase({ startedAt: 1, list: [{ sizeBytes: 2n, absent: undefined }] }), {
    started_at: 1,
    list: [{ size_bytes: "2" }],
  });
});

Deno.test("C-BUILD-01: everything found wrong is listed", () => {
  const violations = [ruleError("E_DEST", "first"), ruleError("E_TAR_MODE", "second")];
  const failure = describeFailure(new PeipkgError("format", "first", { more: { violations } }));
  assert.deepEqual(failure.lines, ["first", "second"]);
  assert.deepEqual(failure.details["violations"], [
    { rule: "E_DEST", text: "first" },
    { rule: "E_TAR_MODE", text: "second" },
  ]);
});

Deno.test("C-ERR-03: a refused system call is a sentence, not an exception", () => {
  const denied = describeFailure(new SystemCallError("EACCES", "openat", "/etc/x"));
  assert.deepEqual([denied.code, denied.message], ["denied", 'cannot use "/etc/x": access was refused']);
  assert.equal(describeFailure(new SystemCallError("ENOSPC", "write", "/x")).code, "no-space");
  assert.equal(describeFailure(new SystemCallError("EIO", "read", "/x")).code, "io");
});

Deno.test("C-ERR-06: every code has a meaning", () => {
  const codes = new Set<string>(Object.keys(ERROR_MEANINGS));
  for (const code of Object.values(RULE_CODES)) assert.ok(codes.has(code), code);
});
