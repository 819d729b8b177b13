/** Where packages may put files: the layout table, symlink targets and drop-in directories (section 11). */

/** Destination profiles; `both` permits what either permits (key `layout`). */
export type Layout = "base" | "late" | "both";
