/** `peipkg-repo` */
import { runProcess } from "./process.ts";
import { PEIPKG_REPO } from "./producer_tables.ts";

if (import.meta.main) Deno.exit(await runProcess(PEIPKG_REPO));
