/** What the producer tools' commands share: required options, keys, the time to record (cli.md section 12). */
import { formatTimestamp, isFingerprint, readSigningKey, type SigningKey } from "../mod.ts";
import { optionText, type ParsedArguments, UsageError } from "./arguments.ts";
import type { Invocation } from "./invocation.ts";

/** Destination profile of producer tools; they read no configuration. */
export const PRODUCER_LAYOUT = "base";

const TIMESTAMP_REGEXP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** @throws {UsageError} when the option is missing */
export function requiredOption(args: ParsedArguments, name: string): string {
  const value = optionText(args.options, name);
  if (value !== undefined && value !== "") return value;
  throw new UsageError(args.words, `option --${name} is required`, { path: args.path });
}

/** A fingerprint as people write it: any case, blanks and colons as grouping. @throws {UsageError} */
export function readFingerprint(args: ParsedArguments, text: string): string {
  const fingerprint = text.replace(/[\s:]/g, "").toLowerCase();
  if (isFingerprint(fingerprint)) return fingerprint;
  throw new UsageError(args.words, `"${text}" is not a fingerprint`, { path: args.path });
}

/** Path of the signing key: the option, else `PEIPKG_SIGN_KEY`. */
export function signKeyPath({ args, world }: Invocation): string | undefined {
  const variable = world.environment.get("PEIPKG_SIGN_KEY");
  return optionText(args.options, "sign-key") ?? (variable === "" ? undefined : variable);
}

/** Opens the signing key, which is required. @throws {UsageError} */
export async function openSignKey(invocation: Invocation): Promise<SigningKey> {
  const path = signKeyPath(invocation) ?? requiredOption(invocation.args, "sign-key");
  return await readSigningKey(await invocation.session(), path, invocation.args.options["allow-loose-key"] === true);
}

/** The time to record: `--timestamp`, else `SOURCE_DATE_EPOCH`. */
export function givenTimestamp({ args, world }: Invocation): string | undefined {
  const typed = optionText(args.options, "timestamp");
  if (typed !== undefined) {
    if (TIMESTAMP_REGEXP.test(typed)) return typed;
    throw new UsageError(args.words, `"${typed}" is not a time of the form 2026-01-02T03:04:05Z`, { path: args.path });
  }
  const epoch = world.environment.get("SOURCE_DATE_EPOCH");
  if (epoch === undefined || epoch === "") return undefined;
  if (!/^\d{1,10}$/.test(epoch)) {
    throw new UsageError(args.words, `SOURCE_DATE_EPOCH is "${epoch}", seconds since 1970 are required`, {
      path: args.path,
    });
  }
  return formatTimestamp(Number(epoch));
}

/** As `givenTimestamp()`; equal input must give equal bytes, so there is no default. @throws {UsageError} */
export function requiredTimestamp(invocation: Invocation): string {
  const timestamp = givenTimestamp(invocation);
  if (timestamp !== undefined) return timestamp;
  throw new UsageError(invocation.args.words, "a time is required: --timestamp, or SOURCE_DATE_EPOCH", {
    path: invocation.args.path,
  });
}
