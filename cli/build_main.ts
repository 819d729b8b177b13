/** `peipkg-build` */
import { runProcess } from "./process.ts";
import { PEIPKG_BUILD } from "./producer_tables.ts";

if (import.meta.main) Deno.exit(await runProcess(PEIPKG_BUILD));
