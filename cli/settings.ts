/** What the arguments and the environment say about settings, as the library wants to hear it (C-CONF-01). */
import type { WorkspaceInput } from "../mod.ts";
import { optionText, type ParsedArguments } from "./arguments.ts";
import { BUILD_INFO } from "./build_info.ts";
import type { World } from "./invocation.ts";

/** Everything that names an installation and its settings, `peipkg.toml` aside. */
export function workspaceInput(args: ParsedArguments, world: World): WorkspaceInput {
  const { globals } = args;
  const given: readonly (readonly [key: string, value: string | undefined])[] = [
    ["root", globals.root],
    ["config_dir", globals.configDirectory],
    ["state_dir", globals.stateDirectory],
    ["cache_dir", globals.cacheDirectory],
    ["json", globals.json ? "true" : undefined],
    ["quiet", globals.quiet ? "true" : undefined],
    ["verbose", globals.verbose > 0 ? String(globals.verbose) : undefined],
    ["color", globals.color],
    ["progress", globals.noProgress ? "false" : undefined],
    ["lock_wait", globals.lockWait === undefined ? undefined : String(globals.lockWait)],
    ["assume_yes", args.options["yes"] === undefined ? undefined : "true"],
    ["modified", optionText(args.options, "modified")],
  ];
  return {
    options: new Map(given.flatMap(([key, value]) => value === undefined ? [] : [[key, value] as const])),
    overrides: globals.settings.map(([key, value]) => `${key}=${value}`),
    environment: world.environment,
    version: BUILD_INFO.version,
  };
}
