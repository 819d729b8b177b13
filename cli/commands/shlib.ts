/** `peipkg shlib` */
import { findLibrary, findMissingLibraries, type LibraryAnswer } from "../../mod.ts";
import { hasFlag, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import type { Screen } from "../screen.ts";

function showUsers(screen: Screen, heading: string, users: LibraryAnswer["provides"]): void {
  if (!screen.mode.quiet) screen.line(escapeText(heading));
  for (const { name, version } of users) screen.line(`  ${escapeText(`${name} ${version}`)}`);
}

function show(screen: Screen, { library, provides, requires }: LibraryAnswer, parts: readonly string[]): void {
  if (parts.includes("provides")) showUsers(screen, `${library} is provided by:`, provides);
  if (parts.includes("requires")) showUsers(screen, `${library} is required by:`, requires);
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const [library] = args.operands;
  const isMissing = hasFlag(args.options, "missing");
  if (isMissing === (library !== undefined)) {
    throw new UsageError(args.words, "exactly one library, or --missing, is required", { path: args.path });
  }
  const workspace = await invocation.workspace();
  if (library === undefined) {
    const missing = await findMissingLibraries(workspace);
    screen.document(missing);
    for (const answer of missing) show(screen, answer, ["requires"]);
    return missing.length === 0 ? 0 : 1;
  }
  const answer = await findLibrary(workspace, library);
  const chosen = ["provides", "requires"].filter((part) => hasFlag(args.options, part));
  screen.document(answer);
  show(screen, answer, chosen.length === 0 ? ["provides", "requires"] : chosen);
  return 0;
}
