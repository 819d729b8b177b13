/** `peipkg-build inspect` */
import { type Inspection, inspectPackage } from "../../../mod.ts";
import { escapeLines, escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT } from "../../producing.ts";
import { renderSize } from "../../render/sizes.ts";
import { showWarnings } from "../../screen.ts";
import { WARNING_CODES } from "../../../mod.ts";

const TYPE_WORDS = { file: "file", dir: "dir ", symlink: "link" } as const;

function describe(inspection: Inspection): readonly (readonly [string, string])[] {
  const { manifest, sizeCompressedBytes, packageHash, fingerprint } = inspection;
  return [
    ["name", manifest.name],
    ["version", manifest.version.raw],
    ["architecture", manifest.architecture],
    ["description", manifest.description],
    ["license", manifest.license],
    ["homepage", manifest.homepage],
    ["size", `${renderSize(manifest.sizeInstalledBytes)} (file ${renderSize(sizeCompressedBytes)})`],
    ["built", manifest.build.timestamp],
    ["sha256", packageHash],
    ["signed-by", fingerprint ?? "(unsigned)"],
  ];
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const inspection = await inspectPackage(await invocation.session(), args.operands[0] ?? "", PRODUCER_LAYOUT);
  showWarnings(screen, inspection.warnings, WARNING_CODES);
  screen.document({
    manifest: JSON.parse(inspection.manifestText),
    files: inspection.entries.map((entry) => ({
      path: entry.path,
      type: entry.type,
      size: entry.sizeBytes,
      sha256: entry.hash,
      target: entry.target,
    })),
    ...(inspection.fingerprint === undefined ? {} : { signature: { key_fingerprint: inspection.fingerprint } }),
  });
  if (args.options.manifest === true && !screen.mode.json) {
    // Raw for programs; a terminal is given text that cannot move its cursor.
    if (!screen.terminal.isTerminal("stdout")) screen.raw(inspection.manifestText);
    else for (const line of escapeLines(inspection.manifestText)) screen.line(line);
  } else if (args.options.files === true) {
    for (const entry of inspection.entries) {
      const target = entry.target === undefined ? "" : ` -> ${entry.target}`;
      screen.line(`${TYPE_WORDS[entry.type]}  ${entry.sizeBytes}  ${escapeText(entry.path + target)}`);
    }
  } else if (args.options.signature === true) {
    screen.line(inspection.fingerprint ?? "(unsigned)");
  } else {
    for (const [label, value] of describe(inspection)) {
      if (value !== "") screen.line(`${`${label}:`.padEnd(14)}${escapeText(value)}`);
    }
  }
  return 0;
}
