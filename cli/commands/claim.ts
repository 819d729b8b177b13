/** `peipkg claim` */
import { type ChangeRequest, listRoles, type RoleDetail, roleDetail } from "../../mod.ts";
import { hasFlag, type ParsedArguments, UsageError } from "../arguments.ts";
import { runChange } from "../change.ts";
import { type ChangeDefaults, readChangeOptions } from "../change_options.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageName } from "../operands.ts";
import { renderColumns } from "../render/listing.ts";

type ClaimRequest = Extract<ChangeRequest, { readonly kind: "claim" }>;

/** What was asked for; `undefined`: only to be shown. Anything else is a usage error (C-CMD-06). */
export function parseClaim(args: ParsedArguments, defaults: ChangeDefaults): ClaimRequest | undefined {
  const [role = "", action, name, ...rest] = args.operands;
  const options = readChangeOptions(args, defaults);
  const wrong = (message: string): UsageError => new UsageError(args.words, message, { path: args.path });
  if (hasFlag(args.options, "reconcile")) {
    if (args.operands.length > 0) throw wrong("--reconcile takes no operand");
    return { kind: "claim", action: "reconcile", role: "", package: undefined, options };
  }
  if (action === undefined) return undefined;
  if (action === "grant") {
    if (name === undefined || rest.length > 0) throw wrong("grant needs exactly one package name");
    return { kind: "claim", action, role, package: readPackageName(args, name), options };
  }
  if (action !== "revoke") throw wrong(`"${action}" is neither grant nor revoke`);
  if (name !== undefined) throw wrong("revoke takes no package name");
  return { kind: "claim", action, role, package: undefined, options };
}

function roleDocument({ role, holder, links, providers }: RoleDetail): unknown {
  return {
    role,
    holder,
    links: links.flatMap(({ path, target }) => target === undefined ? [] : [{ path, target }]),
    providers,
  };
}

/** One role in full, escaped (C-CMD-01). */
function roleLines(detail: RoleDetail, isVerbose: boolean): readonly string[] {
  const { role, holder, links, providers, consumers } = detail;
  return [
    holder === undefined ? `role ${role} is unheld` : `role ${role} is held by ${holder}`,
    ...links.map(({ path, target, slot, status }) =>
      `  ${path} -> ${target ?? "-"}${isVerbose ? `  [${slot}, ${status}]` : ""}`
    ),
    `eligible providers: ${providers.length === 0 ? "-" : providers.join(", ")}`,
    ...(isVerbose
      ? consumers.map(({ package: name, slot, path, required }) =>
        `consumer: ${name} ${slot} ${path} (${required ? "required" : "optional"})`
      )
      : []),
  ].map(escapeText);
}

async function show({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [role] = args.operands;
  if (role !== undefined) {
    const detail = roleDetail(await workspace(), role);
    screen.document(roleDocument(detail));
    screen.lines(roleLines(detail, screen.mode.verbose > 0));
    return 0;
  }
  const roles = listRoles(await workspace());
  screen.document(roles.map(roleDocument));
  const rows = roles.map((item) => [item.role, item.holder ?? "-", item.providers.join(", ")].map(escapeText));
  screen.lines(renderColumns(rows));
  return 0;
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { screen } = invocation;
  const { settings } = await invocation.workspace();
  const request = parseClaim(invocation.args, settings);
  if (request === undefined) return await show(invocation);
  const { action, role } = request;
  const name = request.package ?? "";
  const holders = { reconcile: "", grant: `granted claim ${role} to ${name}`, revoke: `revoked claim ${role}` };
  return await runChange(invocation, request, {
    nothing: action === "grant"
      ? escapeText(`nothing to do — ${name} already holds ${role}`)
      : "nothing to do — the request is already satisfied",
    asksNothing: action === "reconcile",
    done: (report) => {
      if (action === "reconcile") {
        return report.transaction === undefined
          ? "nothing to do — every claim link is as recorded"
          : "reconciled the claim links";
      }
      for (const change of report.holders) {
        screen.event("changed", { target: change.role, field: "holder", value: change.to ?? "" });
      }
      return escapeText(holders[action]);
    },
  });
}
