/** `peipkg check` */
import {
  checkInstallation,
  type CheckProblem,
  type CheckRequest,
  DEFAULT_CHANGE_OPTIONS,
  PeipkgError,
  planRepairs,
  removeStrays,
  type Repairs,
  type Workspace,
} from "../../mod.ts";
import { hasFlag, type ParsedArguments, UsageError } from "../arguments.ts";
import { mayProceed, runChange } from "../change.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";
import { startFields } from "../run.ts";
import { problemText } from "./verify.ts";

const SELECTORS = ["deps", "files", "database", "stray"] as const;

/** Without a selector everything but strays is looked at (C-CHECK-01). */
function parseCheck(args: ParsedArguments): CheckRequest {
  const { options } = args;
  const isSelected = SELECTORS.some((name) => hasFlag(options, name));
  const selected = (name: (typeof SELECTORS)[number]): boolean =>
    isSelected ? hasFlag(options, name) : name !== "stray";
  if (!hasFlag(options, "fix")) {
    const needy = ["dry-run", "yes"].find((name) => hasFlag(options, name));
    if (needy !== undefined) throw new UsageError(args.words, `--${needy} needs --fix`, { path: args.path });
  }
  return {
    deps: selected("deps"),
    files: selected("files"),
    database: selected("database"),
    stray: selected("stray"),
    quick: hasFlag(options, "quick"),
    names: readPatterns(args, args.operands),
  };
}

/** Package, path and sentence of a finding; unescaped. */
function describe(problem: CheckProblem): { package?: string | undefined; path?: string | undefined; text: string } {
  switch (problem.kind) {
    case "deps": {
      const { package: name, requirement, installed } = problem;
      const found = installed === undefined ? "which is not installed" : `installed is ${installed}`;
      return { package: name, text: `${name} needs ${requirement}, ${found}` };
    }
    case "conflict":
      return { package: problem.package, text: `${problem.package} and ${problem.other} are both installed` };
    case "files": {
      const { package: name, path } = problem.problem;
      return { package: name, path, text: `${name}: ${path} ${problemText(problem.problem)}` };
    }
    case "database":
      return { package: problem.package, path: problem.path, text: problem.text };
    case "stray": {
      const { path, transaction } = problem;
      const why = transaction === undefined ? "belongs to no package" : `was left by transaction ${transaction}`;
      return { path, text: `${path} ${why}` };
    }
  }
}

function line(problem: CheckProblem): string {
  return escapeText(`${problem.kind}: ${describe(problem).text}`);
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const request = parseCheck(args);
  const workspace = await invocation.workspace();
  const problems = await checkInstallation(workspace, request);
  const isClean = problems.length === 0;
  screen.document({
    ok: isClean,
    problems: problems.map((problem) => ({ kind: problem.kind, ...describe(problem) })),
  });
  for (const problem of problems) screen.line(line(problem));
  if (isClean) screen.info("check: no problems found");
  else screen.line(`check: ${problems.length} problem(s) found`);
  if (isClean || !hasFlag(args.options, "fix")) return isClean ? 0 : 1;
  return await fix(invocation, workspace, planRepairs(workspace, problems));
}

/** One plan and one question for packages and strays together (C-CHECK-03). */
async function fix(invocation: Invocation, workspace: Workspace, repairs: Repairs): Promise<0 | 1> {
  const { args, screen } = invocation;
  const { targets, strays, remaining } = repairs;
  if (targets.length === 0 && strays.length === 0) {
    throw new PeipkgError("problems-found", `${remaining.length} problem(s) cannot be repaired here`, {
      lines: remaining.map(({ problem, reason }) => `${describe(problem).text}: ${reason}`),
    });
  }
  for (const { problem, reason } of remaining) {
    screen.aside(`${invocation.program.name}: not repaired: ${escapeText(`${describe(problem).text} (${reason})`)}`);
  }
  if (targets.length === 0) return await fixStrays(invocation, workspace, strays);
  return await runChange(
    invocation,
    {
      kind: "install",
      targets,
      claims: { none: true, all: false, roles: [] },
      automatic: true,
      reinstall: false,
      repositories: [],
      requireSignature: false,
      options: { ...DEFAULT_CHANGE_OPTIONS, dryRun: hasFlag(args.options, "dry-run") },
    },
    strays.length === 0 ? {} : {
      alongside: { lines: strayLines(strays), apply: () => removeThem(invocation, workspace, strays) },
    },
  );
}

const strayLines = (strays: Repairs["strays"]): readonly string[] => [
  "the following strays will be removed:",
  ...strays.map(({ path }) => `  ${escapeText(path)}`),
];

async function removeThem({ screen }: Invocation, workspace: Workspace, strays: Repairs["strays"]): Promise<void> {
  const removed = await removeStrays(workspace, strays);
  screen.info(`removed ${removed.length} stray object(s)`);
}

/** Where no package has to change: shows, asks and removes. */
async function fixStrays(
  invocation: Invocation,
  workspace: Workspace,
  strays: Repairs["strays"],
): Promise<0> {
  const { args, screen } = invocation;
  screen.begin(startFields(args, workspace));
  screen.lines(strayLines(strays));
  if (!await mayProceed(invocation)) return 0;
  await removeThem(invocation, workspace, strays);
  screen.end("done", { summary: `removed ${strays.length} stray object(s)`, dry_run: false });
  return 0;
}
