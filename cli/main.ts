/** `peipkg` */
import { runProcess } from "./process.ts";
import { PEIPKG } from "./table.ts";

if (import.meta.main) Deno.exit(await runProcess(PEIPKG));
