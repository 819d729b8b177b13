/** What tests of whole roots need of the machine. */

let permitted: boolean | undefined;

/** Whether roots with mounts of their own can be made here; a container may withhold that even from uid 0. */
export function canMountRoots(): boolean {
  return permitted ??= probe();
}

function probe(): boolean {
  try {
    const args = ["--mount", "--net", "true"];
    if (Deno.uid() === 0 && new Deno.Command("unshare", { args, stderr: "null" }).outputSync().success) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  console.log("skipped: a root with mounts of its own needs uid 0 and unshare(1)");
  return false;
}
