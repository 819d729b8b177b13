/** Holds what a program printed under `--json` against the schemas it publishes. */
import { parseArguments, UsageError } from "../../cli/arguments.ts";
import { outputKind } from "../../cli/command.ts";
import { schemaDocument } from "../../cli/json_documents.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import type { CliResult, Program } from "./cli.ts";
import { schemaFaults } from "./json_schema.ts";

/** Commands whose document another specification describes. */
export const FOREIGN_DOCUMENTS: readonly string[] = ["sbom"];

/** Name of the schema of a command's document. @param path The command's own names. */
export function schemaName(program: string, path: readonly string[]): string {
  return [...(program === "peipkg" ? [] : [program]), ...path].join("-");
}

const LAST = new Set(["done", "cancelled", "error"]);

/** Faults of one JSON text under a named schema. */
function faultsOf(name: string, text: string): readonly string[] {
  const document = schemaDocument(name);
  if (document === undefined) return [`there is no schema ${name}`];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [`${name}: not JSON: ${text.slice(0, 200)}`];
  }
  return schemaFaults(document, value).map((fault) => `${name}: ${fault}`);
}

const linesOf = (text: string): readonly string[] => text === "" ? [] : text.replace(/\n$/, "").split("\n");

/** Lines of stderr under `--json`: errors and warnings, nothing else (C-JSON-04). */
function stderrFaults(stderr: string): readonly string[] {
  return linesOf(stderr).flatMap((line) => faultsOf(line.startsWith('{"warning"') ? "warning" : "error", line));
}

/** C-JSON-05, C-JSON-10, C-JSON-13: one start, one last event, and the status it promises. */
function streamFaults({ stdout, status }: CliResult): readonly string[] {
  const lines = linesOf(stdout);
  const events = lines.map((line) => String(Object(JSON.parse(line)).event));
  const faults = lines.flatMap((line) => faultsOf("event", line));
  if (events[0] !== "start") faults.push(`a stream began with ${events[0]}`);
  if (events.filter((event) => event === "start").length !== 1) faults.push("a stream began twice");
  const lasts = events.filter((event) => LAST.has(event));
  if (lasts.length !== 1 || !LAST.has(events.at(-1) ?? "")) faults.push(`a stream ended with ${events.join(" ")}`);
  if ((lasts[0] === "error") !== (status !== 0)) faults.push(`status ${status} after ${lasts[0]}`);
  return faults;
}

export interface JsonVerdict {
  /** Name of the command's schema; \`undefined\` for a call that could not be understood. */
  readonly name: string | undefined;
  readonly faults: readonly string[];
}

/** Judges what a call with `--json` printed. */
export function judgeJson(program: Program, args: readonly string[], result: CliResult): JsonVerdict {
  const spec = PROGRAMS.find(({ name }) => name === program);
  if (spec === undefined) throw new Error(`there is no program ${program}`);
  let parsed: ReturnType<typeof parseArguments>;
  try {
    parsed = parseArguments(spec, args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const faults = result.stdout === "" ? [] : ["a usage error printed on stdout"];
    return { name: undefined, faults: [...faults, ...stderrFaults(result.stderr)] };
  }
  const { command, path } = parsed;
  if (command === undefined) throw new Error(`${args.join(" ")} has no command`);
  const name = schemaName(program, path);
  const kind = outputKind(command, parsed);
  // A usage error found by the command itself looks like one found by the parser (C-JSON-08).
  if (result.status === 2) return { name, faults: [...stderrFaults(result.stderr), ...linesOf(result.stdout)] };
  if (kind === "events") return { name, faults: [...streamFaults(result), ...linesOf(result.stderr)] };
  if (kind === "text" || FOREIGN_DOCUMENTS.includes(name)) return { name, faults: stderrFaults(result.stderr) };
  const documents = result.stdout === "" ? [] : faultsOf(name, result.stdout);
  return { name, faults: [...documents, ...stderrFaults(result.stderr)] };
}
