/** `peipkg clean` */
import { cleanCache } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { renderSize } from "../render/sizes.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const { options } = args;
  const request = {
    packages: hasFlag(options, "packages"),
    allPackages: hasFlag(options, "all"),
    backups: hasFlag(options, "backups"),
    dryRun: hasFlag(options, "dry-run"),
  };
  const report = await cleanCache(await workspace(), request);
  if (report.kind === "no-cache") {
    screen.info("the cache is already empty");
    return 0;
  }
  if (request.dryRun) {
    for (const { path, sizeBytes } of report.files) screen.line(`${escapeText(path)}  ${renderSize(sizeBytes)}`);
    return 0;
  }
  const isMore = request.packages || request.allPackages || request.backups;
  const what = isMore ? "file(s)" : "orphaned cache file(s)";
  screen.info(`removed ${report.files.length} ${what}`);
  return 0;
}
