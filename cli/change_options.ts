/** The options shared by commands that plan, from words to what the library takes (C-OPT-01). */
import { type ChangeOptions, DEFAULT_CHANGE_OPTIONS } from "../mod.ts";
import { hasFlag, optionText, type ParsedArguments } from "./arguments.ts";

/** Keys of `peipkg.toml` that stand in for options. */
export interface ChangeDefaults {
  readonly modified: string;
  readonly autoRemove: boolean;
}

const isModified = (word: string | undefined): word is ChangeOptions["modified"] =>
  word === "ask" || word === "keep" || word === "remove" || word === "abort";

const isSdOverride = (word: string | undefined): word is ChangeOptions["sdOverrides"] =>
  word === "apply" || word === "store" || word === "ignore";

/** An option a command does not take keeps its default, because the parser refused it. */
export function readChangeOptions({ options, command }: ParsedArguments, defaults: ChangeDefaults): ChangeOptions {
  const modified = optionText(options, "modified") ?? defaults.modified;
  const sdOverrides = optionText(options, "sd-overrides");
  const canAutoRemove = command?.options.some((option) => option.name === "autoremove") ?? false;
  return {
    ...DEFAULT_CHANGE_OPTIONS,
    dryRun: hasFlag(options, "dry-run"),
    allowStale: hasFlag(options, "allow-stale"),
    overwriteUnowned: hasFlag(options, "overwrite-unowned"),
    sdOverrides: isSdOverride(sdOverrides) ? sdOverrides : DEFAULT_CHANGE_OPTIONS.sdOverrides,
    modified: isModified(modified) ? modified : DEFAULT_CHANGE_OPTIONS.modified,
    allowCritical: hasFlag(options, "allow-critical"),
    cascade: hasFlag(options, "cascade"),
    allowDowngrade: hasFlag(options, "allow-downgrade"),
    autoRemove: hasFlag(options, "autoremove") || (canAutoRemove && defaults.autoRemove),
    fetchOnly: hasFlag(options, "fetch-only"),
  };
}
