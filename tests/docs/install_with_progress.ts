import * as peipkg from "../../mod.ts";

const [root = "/", ...names] = Deno.args;
function emit(event: peipkg.ProgressEvent): void {
  if (event.kind !== "progress") return;
  const filled = Math.round((20 * event.step) / event.steps);
  console.log(`[${"#".repeat(filled).padEnd(20, ".")}] ${event.phase} ${event.subject ?? ""}`.trimEnd());
}
const invocation = crypto.randomUUID().replaceAll("-", "");
const { signal } = new AbortController();
const session = { system: peipkg.realSystem(), emit, signal, invocation, version: "installer 1", command: "install" };
const settings = { options: new Map([["root", root]]), overrides: [], environment: new Map(), version: "installer 1" };
using workspace = peipkg.openWorkspace(session, settings);
const change = await peipkg.planChange(workspace, {
  kind: "install",
  targets: names.filter(peipkg.isPackageName).map((name) => ({ kind: "name", name, version: undefined })),
  claims: { none: false, all: false, roles: [] },
  ...{ automatic: false, reinstall: false, repositories: [], requireSignature: false },
  options: peipkg.DEFAULT_CHANGE_OPTIONS,
});
if (change.kind === "rejected") throw new Error(`there is no plan: ${change.rule}`);
for (const step of change.plan.operations) {
  console.log(step.kind, step.kind === "remove" ? step.from.name : step.target.name);
}
if (!change.isEmpty) {
  // Nobody is asked here: what needs an elevated yes fails closed.
  const ask = () => Promise.resolve({ kind: "authorise", answer: "unavailable" } as const);
  const report = await peipkg.applyChange(workspace, change, { evidence: [], modified: new Map(), ask });
  console.log(`${report.operations} operations, transaction ${report.transaction}`);
}
