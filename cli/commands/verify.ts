/** `peipkg verify` */
import { verifyInstalled, type VerifyProblem } from "../../mod.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPatterns } from "../operands.ts";

/** What is wrong, in the words of C-VERIFY-02; unescaped. */
export function problemText({ kind, object, expected, actual }: VerifyProblem): string {
  if (object === "descriptor") return "has a security descriptor other than the declared one";
  switch (kind) {
    case "modified":
      return "has been modified since install";
    case "missing":
      if (object === "dir") return "is missing or not a directory";
      return object === "file" ? "is missing or unreadable" : "is missing";
    case "unreadable":
      return "is missing or unreadable";
    case "target":
      return `points at "${actual ?? ""}", recorded as "${expected ?? ""}"`;
    case "type":
      if (object === "dir") return "is missing or not a directory";
      return object === "file" ? "is not a regular file" : "is not a symbolic link";
  }
}

/** A problem as `verify` and `recover --report` give it to programs. */
export function problemDocument({ package: name, path, kind, expected, actual }: VerifyProblem): unknown {
  return { package: name, path, kind, expected, actual };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const names = readPatterns(args, args.operands);
  const report = await verifyInstalled(await invocation.workspace(), names);
  const { packages, files, problems } = report;
  const isClean = problems.length === 0;
  screen.document({
    packages,
    files,
    ok: isClean,
    problems: problems.map(problemDocument),
  });
  for (const problem of problems) {
    screen.line(escapeText(`${problem.package}: ${problem.path} ${problemText(problem)}`));
  }
  if (isClean) screen.info("all recorded files are intact");
  else screen.line(`verify: ${problems.length} problem(s) found`);
  return isClean ? 0 : 1;
}
