/** `peipkg check` */
import { checkInstallation, type CheckProblem, planRepairs, removeStrays } from "../../mod.ts";
import { hasFlag, type ParsedArguments } from "../arguments.ts";
import { cancelChange, runChange } from "../change.ts";
import { readChangeOptions } from "../change_options.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";
import { isYes, ROUTINE_QUESTION } from "../prompt.ts";
import { problemText } from "./verify.ts";

const SELECTORS = ["deps", "files", "database", "stray"] as const;

/** What to check; without a selector everything but strays (C-CHECK-01). */
export function parseCheck(args: ParsedArguments): Parameters<typeof checkInstallation>[1] {
  const given = SELECTORS.filter((name) => hasFlag(args.options, name));
  const wants = (name: (typeof SELECTORS)[number]): boolean =>
    given.length === 0 ? name !== "stray" : given.includes(name);
  return {
    deps: wants("deps"),
    files: wants("files"),
    database: wants("database"),
    stray: wants("stray"),
    quick: hasFlag(args.options, "quick"),
    names: readPatterns(args, args.operands),
  };
}

/** A finding without its kind, unescaped. */
export function findingText(problem: CheckProblem): string {
  switch (problem.kind) {
    case "deps":
      return problem.installed === undefined
        ? `${problem.package} needs ${problem.requirement}, which is not installed`
        : `${problem.package} needs ${problem.requirement}, installed is ${problem.name} ${problem.installed}`;
    case "conflict":
      return `${problem.package} and ${problem.other} are both installed`;
    case "files":
      return `${problem.problem.package}: ${problem.problem.path} ${problemText(problem.problem)}`;
    case "database":
      return problem.text;
    case "stray":
      return problem.transaction === undefined
        ? `${problem.path} belongs to no package`
        : `${problem.path} was left by transaction ${problem.transaction}`;
  }
}

function findingDocument(problem: CheckProblem): unknown {
  const about = problem.kind === "files" ? problem.problem : problem;
  return {
    kind: problem.kind,
    package: "package" in about ? about.package : undefined,
    path: "path" in about ? about.path : undefined,
    text: findingText(problem),
  };
}

/** Cures what can be cured: strays first, then what a plan can (C-CHECK-03). */
async function fix(invocation: Invocation, problems: readonly CheckProblem[]): Promise<0 | 1> {
  const { args, screen } = invocation;
  const workspace = await invocation.workspace();
  const { targets, strays, remaining } = planRepairs(workspace, problems);
  for (const { problem, reason } of remaining) {
    screen.line(`${problem.kind}: ${escapeText(`${findingText(problem)} (not repaired: ${reason})`)}`);
  }
  if (strays.length > 0) {
    screen.line("the following files will be removed:");
    for (const { path } of strays) screen.line(`  ${escapeText(path)}`);
    if (!invocation.assumeYes && !isYes(await screen.ask(ROUTINE_QUESTION))) return cancelChange(screen, "declined");
    const removed = await removeStrays(workspace, strays);
    screen.info(`removed ${removed.length} stray file(s)`);
  }
  if (targets.length > 0) {
    await runChange(invocation, {
      kind: "install",
      targets,
      claims: { none: true, all: false, roles: [] },
      automatic: true,
      reinstall: false,
      repositories: [],
      requireSignature: false,
      options: readChangeOptions(args, { modified: "ask", autoRemove: false }),
    });
  } else screen.end("done", { summary: `removed ${strays.length} stray file(s)`, dry_run: false });
  return remaining.length === 0 ? 0 : 1;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const request = parseCheck(args);
  const problems = await checkInstallation(await invocation.workspace(), request);
  const isClean = problems.length === 0;
  if (hasFlag(args.options, "fix") && !isClean) return await fix(invocation, problems);
  screen.document({ ok: isClean, problems: problems.map(findingDocument) });
  for (const problem of problems) screen.line(`${problem.kind}: ${escapeText(findingText(problem))}`);
  if (isClean) screen.info("check: no problems found");
  else screen.line(`check: ${problems.length} problem(s) found`);
  return isClean ? 0 : 1;
}
