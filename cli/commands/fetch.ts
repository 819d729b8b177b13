/** `peipkg fetch` */
import { fetchPackages, type FetchRequest, planFetch } from "../../mod.ts";
import { hasFlag, optionList, optionText, type ParsedArguments, UsageError } from "../arguments.ts";
import { agreeOnPackages, countText, readSelectionTarget } from "../download.ts";
import type { Invocation } from "../invocation.ts";

/** What was asked for; nothing is looked up. */
function parseFetch(args: ParsedArguments): FetchRequest {
  const { options, operands } = args;
  const updates = hasFlag(options, "updates");
  if (operands.length === 0 && !updates) {
    throw new UsageError(args.words, "at least one package is required, or --updates", { path: args.path });
  }
  const dependencies = hasFlag(options, "all-deps") ? "all" : hasFlag(options, "deps") ? "missing" : "none";
  return {
    targets: operands.map((word) => readSelectionTarget(args, word)),
    dependencies,
    updates,
    repositories: optionList(options, "repository"),
    allowStale: hasFlag(options, "allow-stale"),
  };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const request = parseFetch(args);
  const workspace = await invocation.workspace();
  const planned = await agreeOnPackages(
    invocation,
    "fetched",
    (granted) => planFetch(workspace, request, granted),
  );
  if (planned === undefined) return 0;
  const files = await fetchPackages(workspace, planned, optionText(args.options, "out"));
  const summary = `fetched ${countText(files.length, planned.sizeBytes)}`;
  screen.info(summary);
  screen.end("done", { summary, dry_run: false });
  return 0;
}
