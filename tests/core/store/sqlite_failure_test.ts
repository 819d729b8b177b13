import assert from "node:assert/strict";
import { PeipkgError, SystemCallError } from "../../../core/errors.ts";
import {
  commitFailureIsCertain,
  openFailure,
  sqliteCodeOf,
  statementFailure,
} from "../../../core/store/sqlite_failure.ts";

/** As the driver throws it. */
function sqliteError(errcode: number | undefined, message = "sqlite says so"): Error {
  return Object.assign(new Error(message), { code: "ERR_SQLITE_ERROR", ...(errcode === undefined ? {} : { errcode }) });
}

function ruleOf(error: unknown): string | undefined {
  assert.ok(error instanceof PeipkgError);
  return error.detail.rule;
}

Deno.test("T-DB-07: statements refused for want of the shared files are DB_READ_UNAVAILABLE with a way out", () => {
  // SQLITE_READONLY_DIRECTORY, SQLITE_READONLY_CANTINIT, SQLITE_CANTOPEN, and opening without a number
  for (const code of [1544, 1288, 14, undefined]) {
    const error = openFailure(statementFailure(sqliteError(code)), "reader");
    assert.equal(ruleOf(error), "DB_READ_UNAVAILABLE", `${code}`);
    assert.ok(error instanceof PeipkgError && error.detail.hint?.includes("peipkg recover"));
  }
  assert.equal(
    ruleOf(openFailure(new SystemCallError("EACCES", "fstatat", "db.sqlite"), "reader")),
    "DB_READ_UNAVAILABLE",
  );
});

Deno.test("codes of SQLite become the rules of the failure matrix (FP-04, FP-08, FP-12)", () => {
  const cases: readonly (readonly [number, string])[] = [
    [13, "DB_FULL"],
    [10, "DB_IO"],
    [778, "DB_IO"],
    [11, "DB_CORRUPT"],
    [26, "DB_CORRUPT"],
    [8, "NOT_PERMITTED"],
    [1544, "NOT_PERMITTED"],
    [14, "NOT_PERMITTED"],
    [5, "LOCK_BUSY"],
  ];
  for (const [code, rule] of cases) assert.equal(ruleOf(statementFailure(sqliteError(code))), rule, `${code}`);
  assert.equal(ruleOf(openFailure(new SystemCallError("EROFS", "openat", "db.sqlite"), "writer")), "NOT_PERMITTED");
  assert.equal(ruleOf(openFailure(new SystemCallError("ENOSPC", "openat", "db.sqlite"), "writer")), "DB_FULL");
  assert.equal(ruleOf(openFailure(new SystemCallError("EIO", "fstatat", "db.sqlite"), "writer")), "DB_IO");
});

Deno.test("T-COMMIT-43, T-COMMIT-44: only full, busy and constraint failures of COMMIT are certain", () => {
  for (const code of [13, 5, 517, 19, 787]) assert.equal(commitFailureIsCertain(sqliteError(code)), true, `${code}`);
  for (const code of [10, 1034, 4874, 11, 267, 8, 1]) {
    assert.equal(commitFailureIsCertain(sqliteError(code)), false, `${code}`);
  }
  // The code survives the wording.
  assert.equal(commitFailureIsCertain(statementFailure(sqliteError(13))), true);
  assert.equal(sqliteCodeOf(statementFailure(sqliteError(1034))), 1034);
  assert.equal(commitFailureIsCertain(new Error("connection lost")), false);
});

Deno.test("C-ERR-03: messages never repeat the driver's words", () => {
  for (const code of [1, 5, 8, 10, 11, 13, 14, 19, 26]) {
    assert.ok(!statementFailure(sqliteError(code)).message.includes("sqlite says so"));
  }
});
