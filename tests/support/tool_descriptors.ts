/** Prints which descriptors a side-effect tool finds open; started with an extra one by the runtime's test. */
import { realSystem } from "../../core/runtime.ts";

using system = realSystem();
const args = ["/proc/self/fd"];
const { output } = await system.runTool({ path: "/bin/ls", args, timeoutMilliseconds: 10_000 });
// The last is the listing's own.
console.log(new TextDecoder().decode(output).trim().split("\n").join(" "));
