/** `peipkg-build pack` */
import { packTree } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { givenTimestamp, PRODUCER_LAYOUT, requiredOption, signKeyPath } from "../../producing.ts";
import { renderSize } from "../../render/sizes.ts";
import { showWarnings } from "../../screen.ts";
import { WARNING_CODES } from "../../../mod.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { level } = args.options;
  const result = await packTree(await invocation.session(), {
    manifest: requiredOption(args, "manifest"),
    staged: requiredOption(args, "staged"),
    out: requiredOption(args, "out"),
    signKey: signKeyPath(invocation),
    allowLooseKey: args.options["allow-loose-key"] === true,
    timestamp: givenTimestamp(invocation),
    level: typeof level === "number" ? level : undefined,
    layout: PRODUCER_LAYOUT,
  });
  const { path, manifest, packageHash, sizeCompressedBytes, files, fingerprint } = result;
  showWarnings(screen, result.warnings, WARNING_CODES);
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (fingerprint === undefined) screen.warn("W_UNSIGNED", WARNING_CODES.W_UNSIGNED, `${name} is not signed`);
  screen.document({
    result: "packed",
    packages: [{
      name: manifest.name,
      version: manifest.version.raw,
      architecture: manifest.architecture,
      file: path,
      sha256: packageHash,
    }],
    ...(fingerprint === undefined ? {} : { fingerprints: [fingerprint] }),
  });
  screen.info(`packed ${escapeText(name)} (${files} files, ${renderSize(sizeCompressedBytes)})`);
  return 0;
}
