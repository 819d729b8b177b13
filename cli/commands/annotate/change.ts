/** `peipkg annotate set`, `peipkg annotate delete` */
import { annotatePackage, removeAnnotation } from "../../../mod.ts";
import { UsageError } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { readPackageName } from "../../operands.ts";

/** Longest value, in bytes of UTF-8 (C-ANNOTATE-01). */
const VALUE_LIMIT_BYTES = 64 * 1024;

/** The value as typed, or from standard input for `-`. */
async function readValue({ args, world }: Invocation, word: string): Promise<string> {
  if (word !== "-") return word;
  const bytes = await world.terminal.readAll(VALUE_LIMIT_BYTES);
  try {
    if (bytes !== undefined) return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(args.words, "the value on standard input is not UTF-8");
  }
  throw new UsageError(args.words, `the value on standard input is longer than ${VALUE_LIMIT_BYTES} bytes`);
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [word = "", tag = "", value = ""] = args.operands;
  const name = readPackageName(args, word);
  const field = `annotation:${tag}`;
  if (args.path.at(-1) === "delete") {
    await removeAnnotation(await invocation.workspace(), name, tag);
    screen.event("changed", { target: name, field, value: "" });
    screen.info(`deleted annotation ${escapeText(tag)} of ${name}`);
    return 0;
  }
  const text = await readValue(invocation, value);
  await annotatePackage(await invocation.workspace(), name, tag, text);
  screen.event("changed", { target: name, field, value: text });
  screen.info(`annotated ${name} with ${escapeText(tag)}`);
  return 0;
}
