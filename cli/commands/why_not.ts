/** `peipkg why-not` */
import {
  type ChangeOptions,
  type ChangeRequest,
  DEFAULT_CHANGE_OPTIONS,
  planChange,
  type PreparedChange,
  type RejectedChange,
  type Workspace,
} from "../../mod.ts";
import { UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readInstallTarget } from "../operands.ts";
import { authorisationText } from "../render/authorisation.ts";
import { describeFailure, type Failure } from "../render/diagnostic.ts";
import { rejectionError } from "../render/rejection.ts";

const OPTIONS: ChangeOptions = { ...DEFAULT_CHANGE_OPTIONS, dryRun: true };

type Target = Extract<ReturnType<typeof readInstallTarget>, { readonly kind: "name" }>;

/** Plans what `install` would do, or, for an installed package without a version, what `upgrade` would. */
async function tryTo(workspace: Workspace, target: Target): Promise<PreparedChange | RejectedChange> {
  if (target.version === undefined) {
    const upgrade: ChangeRequest = { kind: "upgrade", names: [target.name], exclude: [], options: OPTIONS };
    const answer = await planChange(workspace, upgrade);
    if (answer.kind === "prepared" || answer.rule !== "E_NOT_INSTALLED") return answer;
  }
  return await planChange(workspace, {
    kind: "install",
    targets: [target],
    claims: { none: false, all: false, roles: [] },
    automatic: false,
    reinstall: false,
    repositories: [],
    requireSignature: false,
    options: OPTIONS,
  });
}

/** A plan, or what stands in its way; what keeps any question from being answered is thrown. */
async function answerOf(workspace: Workspace, target: Target): Promise<PreparedChange | Failure> {
  try {
    const answer = await tryTo(workspace, target);
    return answer.kind === "prepared" ? answer : describeFailure(rejectionError(answer));
  } catch (error) {
    const failure = describeFailure(error);
    if (failure.code !== "alternate-upgrade") throw error;
    return failure;
  }
}

/** What the plan would put in place under a name; `undefined`: it leaves the name alone. */
function versionIn({ plan }: PreparedChange, name: string): string | undefined {
  for (const operation of plan.operations) {
    if (operation.kind !== "remove" && operation.target.name === name) return operation.target.version.raw;
  }
  return undefined;
}

/** The answer when nothing stands in the way. */
function possibleLines(prepared: PreparedChange, name: string): readonly string[] {
  const version = versionIn(prepared, name);
  if (version === undefined) return [`nothing is on offer that would move ${name}`];
  const { operations, authorisations } = prepared.plan;
  const count = operations.length === 1 ? "1 package" : `${operations.length} packages`;
  return [
    `nothing prevents ${name} ${version}; ${count} would change`,
    ...authorisations.map((item) => `  ! elevated: ${authorisationText(item)}`),
  ];
}

/** The answer when there is no plan. */
function impossibleLines(name: string, version: string | undefined, failure: Failure): readonly string[] {
  const asked = version === undefined ? name : `${name} ${version}`;
  return [
    `${asked} is not possible: ${failure.message}`,
    ...failure.lines.map((line) => `  ${line}`),
    ...(failure.hint === undefined ? [] : [failure.hint]),
  ];
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [word = ""] = args.operands;
  const target = readInstallTarget(args, word);
  if (target.kind === "file") {
    throw new UsageError(args.words, `"${word}" is a package file, a name is required`, { path: args.path });
  }
  const { name, version } = target;
  const answer = await answerOf(await workspace(), target);
  if ("kind" in answer) {
    const found = versionIn(answer, name);
    screen.document({ name, version: version ?? found, possible: true, operations: answer.plan.operations.length });
    for (const line of possibleLines(answer, name)) screen.line(escapeText(line));
    return 0;
  }
  const failure = answer;
  screen.document({
    name,
    version,
    possible: false,
    code: failure.code,
    reason: failure.reason,
    message: failure.message,
    details: failure.details,
    hint: failure.hint,
  });
  for (const line of impossibleLines(name, version, failure)) screen.line(escapeText(line));
  return 0;
}
