/** The programs there are; loads tables only. */
import type { Program } from "./command.ts";
import { PEIPKG_BUILD, PEIPKG_REPO } from "./producer_tables.ts";
import { PEIPKG } from "./table.ts";

export const PROGRAMS: readonly Program[] = [PEIPKG, PEIPKG_BUILD, PEIPKG_REPO];
