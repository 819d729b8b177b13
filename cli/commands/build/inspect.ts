/** `peipkg-build inspect` */
import { type Inspection, inspectPackage } from "../../../mod.ts";
import { escapeLines, escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT } from "../../producing.ts";
import { renderSize } from "../../render/sizes.ts";
import { showWarnings } from "../../screen.ts";
import { WARNING_CODES } from "../../../mod.ts";

/** Mode of every entry: the format fixes it, and it conveys no access (F-PERM-01). */
const ENTRY_MODE = "0777";

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

/** Verbatim for programs; a terminal is given text that cannot move its cursor. */
function printSource({ screen }: Invocation, text: string): void {
  if (!screen.terminal.isTerminal("stdout")) screen.raw(text);
  else screen.lines(escapeLines(text));
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
      mode: ENTRY_MODE,
      size: entry.sizeBytes,
      sha256: entry.hash,
      target: entry.target,
    })),
    ...(inspection.signatureText === undefined ? {} : { signature: JSON.parse(inspection.signatureText) }),
  });
  if (screen.mode.json) return 0;
  if (args.options.manifest === true) printSource(invocation, inspection.manifestText);
  else if (args.options.files === true) {
    for (const entry of inspection.entries) {
      const target = entry.target === undefined ? "" : ` -> ${entry.target}`;
      screen.line(`${ENTRY_MODE}/${entry.type} ${entry.sizeBytes} ${escapeText(entry.path + target)}`);
    }
  } else if (args.options.signature === true) {
    if (inspection.signatureText === undefined) screen.line("(unsigned)");
    else printSource(invocation, inspection.signatureText);
  } else {
    for (const [label, value] of describe(inspection)) {
      if (value !== "") screen.line(`${`${label}:`.padEnd(14)}${escapeText(value)}`);
    }
  }
  return 0;
}
