/** Prints the soft and the hard limit of open descriptors after a root was opened. */
import { openRoot } from "../../core/fs/root.ts";

using _root = openRoot("/");
const limits = Deno.readTextFileSync("/proc/self/limits");
console.log(/Max open files\s+(\d+)\s+(\d+)/.exec(limits)?.slice(1).join(" "));
