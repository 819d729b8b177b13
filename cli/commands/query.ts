/** `peipkg query`, `peipkg rquery` */
import {
  fileRecord,
  installedRecords,
  type OfferedRecord,
  offeredRecords,
  packageDetail,
  type PackageRecord,
} from "../../mod.ts";
import { hasFlag, optionList, optionText, type ParsedArguments, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";
import { parseExpression, type RecordTest } from "../query/expression.ts";
import { fillFormat, parseFormat, type QueryFormat } from "../query/format.ts";
import { QueryFault, type RecordSource } from "../query/patterns.ts";
import { wantsNull } from "../render/listing.ts";
import { detailDocument } from "./info.ts";
import { availableDocument, fileDocument } from "./search.ts";

export interface QueryRequest {
  readonly source: RecordSource;
  /** `undefined` under `--json`, which has a form of its own. */
  readonly format: QueryFormat | undefined;
  readonly test: RecordTest;
  readonly names: readonly string[];
}

/** Parses with a caret under whatever cannot be understood (C-QUERY-02). */
function parse<Result>(args: ParsedArguments, what: string, text: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof QueryFault)) throw error;
    const caret = `${" ".repeat(escapeText(text.slice(0, error.at)).length)}^`;
    throw new UsageError(args.words, `cannot read the ${what}: ${error.message}`, {
      path: args.path,
      lines: [text, caret],
    });
  }
}

/**
 * What is asked. Under `--json` the format is ignored and may be left out: a first operand without a pattern is a
 * name then (C-QUERY-03).
 */
function parseQuery(args: ParsedArguments, isJson: boolean): QueryRequest {
  const { options, operands, path } = args;
  const source = path[0] === "rquery" ? "offered" : optionText(options, "file") === undefined ? "installed" : "file";
  const [first] = operands;
  const hasFormat = first !== undefined && (!isJson || /[%\\]/.test(first));
  if (!hasFormat && !isJson) throw new UsageError(args.words, "a format is required", { path });
  const names = operands.slice(hasFormat ? 1 : 0);
  if (source === "file" && names.length > 0) {
    throw new UsageError(args.words, "a package file and package names exclude each other", { path });
  }
  const expression = optionText(options, "expression");
  return {
    source,
    format: isJson || first === undefined ? undefined : parse(args, "format", first, () => parseFormat(first, source)),
    test: expression === undefined
      ? () => true
      : parse(args, "expression", expression, () => parseExpression(expression, source)),
    names: readPatterns(args, names),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const isNull = wantsNull(invocation);
  const request = parseQuery(args, screen.mode.json);
  const workspace = await invocation.workspace();
  if (request.source === "installed") {
    const records = installedRecords(workspace, request.names).filter(request.test);
    if (screen.mode.json) screen.document(records.map(({ name }) => detailDocument(packageDetail(workspace, name))));
    else print(invocation, request, records, isNull);
  } else if (request.source === "offered") {
    const records: readonly OfferedRecord[] = offeredRecords(workspace, {
      repositories: optionList(args.options, "repository"),
      allVersions: hasFlag(args.options, "all-versions"),
    }, request.names).filter(request.test);
    if (screen.mode.json) screen.document(records.map((record) => availableDocument(record.offer())));
    else print(invocation, request, records, isNull);
  } else {
    const record = await fileRecord(workspace, optionText(args.options, "file") ?? "");
    const records = request.test(record) ? [record] : [];
    if (screen.mode.json) screen.document(records.map(fileDocument));
    else print(invocation, request, records, isNull);
  }
  return 0;
}

function print(
  { screen }: Invocation,
  { format }: QueryRequest,
  records: readonly PackageRecord[],
  isNull: boolean,
): void {
  if (format === undefined) return;
  for (const record of records) {
    for (const line of fillFormat(format, record, isNull ? (value) => value : escapeText)) {
      if (isNull) screen.raw(`${line}\0`);
      else screen.line(line);
    }
  }
}
