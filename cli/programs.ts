/** The programs there are; loads tables only. */
import type { Program } from "./command.ts";
import { PEIPKG } from "./table.ts";

export const PROGRAMS: readonly Program[] = [PEIPKG];
