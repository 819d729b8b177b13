/** `peipkg stats` */
import { type Statistics, statistics } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { renderSize } from "../render/sizes.ts";

const LABEL_WIDTH = 24;

const labelled = (label: string, value: string): string => `  ${label}:`.padEnd(LABEL_WIDTH) + value;

/**
 * Lines of C-STATS-01.
 *
 * @param size Words of a number of bytes.
 */
function statsLines(
  { local, repositories }: Statistics,
  parts: { readonly local: boolean; readonly remote: boolean },
  size: (bytes: number) => string,
): readonly string[] {
  const own = [
    "local package database:",
    labelled("installed packages", String(local.packages)),
    labelled("manual / automatic", `${local.manual} / ${local.automatic}`),
    labelled("installed size", size(local.sizeInstalledBytes)),
    labelled("cached downloads", size(local.cacheSizeBytes)),
  ];
  const offered = repositories.map(({ name, packages, sizeDownloadBytes }) =>
    labelled(escapeText(name), `${packages} packages, ${size(sizeDownloadBytes)} to download`)
  );
  return [...(parts.local ? own : []), ...(parts.remote ? ["repositories:", ...offered] : [])];
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const { options } = args;
  const found = statistics(await workspace());
  const { local } = found;
  screen.document({
    local: {
      packages: local.packages,
      manual: local.manual,
      automatic: local.automatic,
      size_installed: local.sizeInstalledBytes,
      cache_size: local.cacheSizeBytes,
    },
    repositories: found.repositories.map(({ name, packages, sizeDownloadBytes }) => ({
      name,
      packages,
      size_download: sizeDownloadBytes,
    })),
  });
  const parts = { local: !hasFlag(options, "remote"), remote: !hasFlag(options, "local") };
  const size = hasFlag(options, "bytes") ? String : renderSize;
  screen.lines(statsLines(found, parts, size));
  return 0;
}
