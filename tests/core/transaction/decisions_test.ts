import assert from "node:assert/strict";
import { decideRestoration, type FinalFound } from "../../../core/transaction/decisions.ts";

type Line = readonly [
  id: string,
  staged: "yes" | "no" | "any",
  final: readonly FinalFound[],
  backup: "yes" | "no" | "any",
  string,
];

/** Section 16.2 of the specification, written out. */
const TABLE: Readonly<Record<"create" | "replace" | "remove" | "repoint", readonly Line[]>> = {
  create: [
    ["T-ROLL-30", "yes", ["absent", "new", "other"], "no", "none"],
    ["T-ROLL-31", "no", ["absent"], "no", "none"],
    ["T-ROLL-32", "no", ["new"], "no", "unapply"],
    ["T-ROLL-33", "no", ["other"], "no", "indeterminate"],
  ],
  replace: [
    ["T-ROLL-34", "any", ["same-as-backup"], "yes", "none"],
    ["T-ROLL-35", "any", ["new", "absent"], "yes", "restore-over"],
    ["T-ROLL-36", "any", ["other"], "yes", "indeterminate"],
    ["T-ROLL-37", "any", ["other"], "no", "none"],
    ["T-ROLL-38", "no", ["new"], "no", "indeterminate"],
    ["T-ROLL-39", "any", ["absent"], "no", "indeterminate"],
  ],
  remove: [
    ["T-ROLL-40", "no", ["absent"], "yes", "restore"],
    ["T-ROLL-41", "no", ["other"], "no", "none"],
    ["T-ROLL-42", "no", ["same-as-backup"], "yes", "none"],
    ["T-ROLL-42", "no", ["other"], "yes", "indeterminate"],
    ["T-ROLL-43", "no", ["absent"], "no", "indeterminate"],
  ],
  repoint: [
    ["T-ROLL-44", "any", ["new-target"], "no", "relink"],
    ["T-ROLL-45", "any", ["old-target"], "no", "none"],
    ["T-ROLL-46", "any", ["other", "absent"], "no", "indeterminate"],
  ],
};

for (const [action, lines] of Object.entries(TABLE)) {
  Deno.test(`T-ROLL-30 to T-ROLL-46: decideRestoration() follows the table for ${action}`, () => {
    assert.ok(action === "create" || action === "replace" || action === "remove" || action === "repoint");
    for (const [id, staged, finals, backup, restoration] of lines) {
      for (const isStaged of staged === "any" ? [true, false] : [staged === "yes"]) {
        for (const final of finals) {
          const row = decideRestoration(action, isStaged, final, backup === "yes");
          assert.deepEqual([row.id, row.restoration], [id, restoration], `${id} staged ${isStaged} final ${final}`);
        }
      }
    }
  });
}

Deno.test("T-ROLL-33, T-ROLL-36, T-ROLL-38, T-ROLL-42, T-ROLL-43, T-ROLL-46: what cannot be decided says why", () => {
  assert.equal(decideRestoration("create", false, "other", false).rule, "RECOVERY_FOREIGN_OBJECT");
  assert.equal(decideRestoration("replace", false, "other", true).rule, "RECOVERY_FOREIGN_OBJECT");
  assert.equal(decideRestoration("replace", false, "new", false).rule, "RECOVERY_BACKUP_MISSING");
  assert.equal(decideRestoration("remove", false, "other", true).rule, "RECOVERY_FOREIGN_OBJECT");
  assert.equal(decideRestoration("remove", false, "absent", false).rule, "RECOVERY_BACKUP_MISSING");
  assert.equal(decideRestoration("repoint", false, "absent", false).rule, "RECOVERY_FOREIGN_OBJECT");
});
