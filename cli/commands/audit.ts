/** `peipkg audit` */
import { auditPackages, type AuditReport, type AuditRequest, type Vulnerability } from "../../mod.ts";
import { hasFlag, optionList, optionText, type ParsedArguments } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";

const LABEL_WIDTH = 19;

function parseAudit(args: ParsedArguments): AuditRequest {
  const { options } = args;
  return {
    fetch: hasFlag(options, "fetch"),
    file: optionText(options, "file"),
    recursive: hasFlag(options, "recursive"),
    ignore: optionList(options, "ignore"),
    available: hasFlag(options, "available"),
    names: readPatterns(args, args.operands),
  };
}

function details(item: Vulnerability): readonly string[] {
  const labelled = (label: string, values: readonly string[]): readonly string[] =>
    values.map((value, index) => `    ${index === 0 ? `${label}:` : ""}`.padEnd(LABEL_WIDTH) + escapeText(value));
  const joined = (values: readonly string[]): readonly string[] => values.length === 0 ? [] : [values.join(", ")];
  return [
    escapeText([item.id, item.severity, item.summary].filter((part) => part !== undefined && part !== "").join("  ")),
    ...labelled("also known as", joined(item.aliases)),
    ...labelled("fixed in", item.fixedIn === undefined ? [] : [item.fixedIn]),
    ...labelled("needed by", joined(item.requiredBy ?? [])),
    ...labelled("see", item.references),
  ].map((line, index) => index === 0 ? `  ${line}` : line);
}

/** Lines of a report with findings, package by package. */
function auditLines({ vulnerable }: AuditReport): readonly string[] {
  const packages = new Set(vulnerable.map(({ name, version }) => `${name} ${version}`));
  const lines = [...packages].flatMap((title) => [
    escapeText(`${title} is vulnerable:`),
    ...vulnerable.filter(({ name, version }) => `${name} ${version}` === title).flatMap(details),
  ]);
  return [...lines, `audit: ${vulnerable.length} problem(s) in ${packages.size} package(s) found`];
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const request = parseAudit(args);
  const report = await auditPackages(await invocation.workspace(), request);
  screen.document({
    source: report.source,
    generated: report.generated,
    packages: report.packages,
    vulnerable: report.vulnerable.map((item) => ({
      name: item.name,
      version: item.version,
      id: item.id,
      aliases: item.aliases,
      severity: item.severity,
      summary: item.summary,
      fixed_in: item.fixedIn,
      references: item.references,
      required_by: item.requiredBy,
    })),
  });
  if (report.vulnerable.length === 0) {
    screen.info(`audit: no known vulnerabilities in ${report.packages} package(s)`);
    return 0;
  }
  screen.lines(auditLines(report));
  return 1;
}
