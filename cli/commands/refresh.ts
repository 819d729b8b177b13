/** `peipkg refresh` */
import { PeipkgError, refreshRepositories, type RefreshResult } from "../../mod.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import type { Screen } from "../screen.ts";

function tell(screen: Screen, result: RefreshResult): void {
  const name = escapeText(result.name);
  if (result.result === "failed") {
    screen.aside(`${screen.mode.program}: refreshing "${name}" failed: ${escapeText(result.error.message)}`);
    const { code, detail: { hint } } = result.error;
    // R-TRANS-04: a refresh never asks, and says who does.
    if (code === "authorisation-required" && hint !== undefined) screen.aside(escapeText(hint));
    return;
  }
  const tail = result.result === "unchanged" && screen.mode.verbose > 0 ? " (no newer index)" : "";
  screen.info(`refreshed "${name}"${tail}`);
}

/** C-REFRESH-05, C-REFRESH-07: the run fails with the code of the first failure. */
function failureOf(results: readonly RefreshResult[]): PeipkgError | undefined {
  const failed = results.flatMap((result) => result.result === "failed" ? [result.error] : []);
  const [first] = failed;
  if (first === undefined) return undefined;
  const { hint: _hint, lines: _lines, ...detail } = first.detail;
  return new PeipkgError(first.code, `${failed.length} of ${results.length} repositories failed`, detail);
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const { results } = await refreshRepositories(await workspace(), args.operands);
  for (const result of results) tell(screen, result);
  if (results.length === 0) screen.line("no repositories to refresh");
  const failure = failureOf(results);
  if (failure !== undefined) throw failure;
  screen.end("done", { summary: `refreshed ${results.length} repositories`, dry_run: false });
  return 0;
}
