/** `peipkg owns` */
import { ownersLike, ownersOf, type PathOwnership, PeipkgError, type Workspace } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import type { Invocation } from "../invocation.ts";
import { printValues, wantsNull } from "../render/listing.ts";

/** One answer: a package, and the role when the path is a claim link (C-OWNS-04). */
interface Owner {
  readonly path: string;
  readonly name: string;
  readonly role: string | undefined;
}

function ownersIn(path: string, { owners, claim }: PathOwnership): readonly Owner[] {
  if (claim !== undefined) return [{ path, name: claim.holder, role: claim.role }];
  return [...new Set(owners.map((owner) => owner.package))].map((name) => ({ path, name, role: undefined }));
}

/** Answers for every operand; the first one nobody owns is the failure reported at the end (C-OWNS-02). */
function lookUp(
  workspace: Workspace,
  paths: readonly string[],
  workingDirectory: string,
): { readonly owners: readonly Owner[]; readonly failure: PeipkgError | undefined } {
  const owners: Owner[] = [];
  let failure: PeipkgError | undefined;
  for (const path of paths) {
    try {
      owners.push(...ownersIn(path, ownersOf(workspace, path, workingDirectory)));
    } catch (error) {
      if (!(error instanceof PeipkgError) || error.code !== "not-owned") throw error;
      failure ??= error;
    }
  }
  return { owners, failure };
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, world } = invocation;
  const isNull = wantsNull(invocation);
  const workspace = await invocation.workspace();
  if (hasFlag(args.options, "available")) {
    screen.document([]);
    throw new PeipkgError("not-owned", "no repository offers lists of the files in its packages", {
      hint: "name a package: 'peipkg fetch' it and look with 'peipkg-build inspect --files'",
    });
  }
  const isGlob = hasFlag(args.options, "glob");
  const { owners, failure } = isGlob
    ? {
      owners: args.operands.flatMap((pattern) => ownersLike(workspace, pattern))
        .map((match) => ({ path: match.path, name: match.package, role: undefined })),
      failure: undefined,
    }
    : lookUp(workspace, args.operands, world.workingDirectory());
  const showPath = isGlob || args.operands.length > 1;
  screen.document([...new Set(owners.map((owner) => owner.name))]);
  printValues(
    invocation,
    owners.map(({ path, name, role }) => {
      if (isNull) return name;
      return `${showPath ? `${path}: ` : ""}${name}${role === undefined ? "" : `  [claim ${role}]`}`;
    }),
  );
  if (failure !== undefined) throw failure;
  if (isGlob && owners.length === 0) {
    throw new PeipkgError("not-owned", `no package owns a path that matches "${args.operands.join('", "')}"`);
  }
  return 0;
}
