/**
 * The decision tables of rollback (T-ROLL-20 to T-ROLL-47), as data. In-process rollback, recovery and the forensic
 * report read the same rows; nothing else decides what happens to a final path.
 *
 * Every row is looked up from what is on disk now, so that the procedure may be interrupted anywhere and repeated
 * (T-ROLL-04).
 */
import type { ErrorRule } from "../errors.ts";
import type { FileAction } from "../store/journal.ts";

/** What is found at the final name, compared with what the journal recorded. */
export type FinalFound =
  | "absent"
  /** The staged object, by inode and size, or by content. */
  | "new"
  /** One inode with the object at the backup name. */
  | "same-as-backup"
  /** `repoint` only. */
  | "new-target"
  | "old-target"
  | "other";

/** What stage A does to one final path. */
export type Restoration =
  | "none"
  /** `F → S`, never over something. */
  | "unapply"
  /** `B → F`, over what is there; with a directory on either side `F → S` first. */
  | "restore-over"
  /** `B → F`, never over something. */
  | "restore"
  /** A link to the old target, made at `S` and renamed over `F`. */
  | "relink"
  | "indeterminate";

export interface DecisionRow {
  readonly id: string;
  readonly action: FileAction;
  /** Presence of `S`; `undefined`: any. */
  readonly staged: boolean | undefined;
  readonly final: readonly FinalFound[] | undefined;
  readonly backup: boolean | undefined;
  readonly restoration: Restoration;
  readonly rule?: ErrorRule;
}

const NOT_NEW: readonly FinalFound[] = ["other"];
const PRESENT: readonly FinalFound[] = ["new", "other", "same-as-backup", "new-target", "old-target"];

/** Stage A, first match wins. */
const APPLYING_ROWS: readonly DecisionRow[] = [
  row("T-ROLL-30", "create", true, undefined, undefined, "none"),
  row("T-ROLL-31", "create", false, ["absent"], undefined, "none"),
  row("T-ROLL-32", "create", false, ["new"], undefined, "unapply"),
  row("T-ROLL-33", "create", false, ["other"], undefined, "indeterminate", "RECOVERY_FOREIGN_OBJECT"),

  row("T-ROLL-34", "replace", undefined, ["same-as-backup"], true, "none"),
  row("T-ROLL-35", "replace", undefined, ["new", "absent"], true, "restore-over"),
  row("T-ROLL-36", "replace", undefined, ["other"], true, "indeterminate", "RECOVERY_FOREIGN_OBJECT"),
  row("T-ROLL-37", "replace", undefined, NOT_NEW, false, "none"),
  // A staged object still in its place cannot have been renamed over F, whatever F looks like.
  row("T-ROLL-37", "replace", true, ["new"], false, "none"),
  row("T-ROLL-38", "replace", false, ["new"], false, "indeterminate", "RECOVERY_BACKUP_MISSING"),
  row("T-ROLL-39", "replace", undefined, ["absent"], false, "indeterminate", "RECOVERY_BACKUP_MISSING"),

  row("T-ROLL-40", "remove", undefined, ["absent"], true, "restore"),
  row("T-ROLL-41", "remove", undefined, PRESENT, false, "none"),
  row("T-ROLL-42", "remove", undefined, ["same-as-backup"], true, "none"),
  row("T-ROLL-42", "remove", undefined, PRESENT, true, "indeterminate", "RECOVERY_FOREIGN_OBJECT"),
  row("T-ROLL-43", "remove", undefined, ["absent"], false, "indeterminate", "RECOVERY_BACKUP_MISSING"),

  row("T-ROLL-44", "repoint", undefined, ["new-target"], undefined, "relink"),
  row("T-ROLL-45", "repoint", undefined, ["old-target"], undefined, "none"),
  row("T-ROLL-46", "repoint", undefined, undefined, undefined, "indeterminate", "RECOVERY_FOREIGN_OBJECT"),
];

/** A backup that is not the kind of object the journal recorded (T-ROLL-47). */
export const BACKUP_MISMATCH: DecisionRow = row(
  "T-ROLL-47",
  "replace",
  undefined,
  undefined,
  true,
  "indeterminate",
  "RECOVERY_BACKUP_MISMATCH",
);

/** Looks a situation up in the table of phase `applying`. */
export function decideRestoration(
  action: FileAction,
  staged: boolean,
  final: FinalFound,
  backup: boolean,
): DecisionRow {
  for (const candidate of APPLYING_ROWS) {
    if (
      candidate.action === action && (candidate.staged ?? staged) === staged &&
      (candidate.backup ?? backup) === backup && (candidate.final?.includes(final) ?? true)
    ) return candidate;
  }
  // Nothing the table knows: leave it to the operator.
  return row("T-ROLL-36", action, undefined, undefined, undefined, "indeterminate", "RECOVERY_FOREIGN_OBJECT");
}

function row(
  id: string,
  action: FileAction,
  staged: boolean | undefined,
  final: readonly FinalFound[] | undefined,
  backup: boolean | undefined,
  restoration: Restoration,
  rule?: ErrorRule,
): DecisionRow {
  const base = { id, action, staged, final, backup, restoration };
  return rule === undefined ? base : { ...base, rule };
}
