import { listPackages, openWorkspace, realSystem, verifyInstalled } from "../../mod.ts";

const [root = "/"] = Deno.args;
const session = {
  system: realSystem(),
  emit: () => {},
  signal: new AbortController().signal,
  invocation: crypto.randomUUID().replaceAll("-", ""),
  version: "monitor 1.0",
  command: "verify",
};
const options = new Map([["root", root]]);
using workspace = openWorkspace(session, { options, overrides: [], environment: new Map(), version: session.version });
for (const { name, version, origin } of listPackages(workspace)) console.log(name, version, origin ?? "(local file)");
const { files, problems } = await verifyInstalled(workspace, []);
for (const problem of problems) console.log(`${problem.package}: ${problem.path}: ${problem.kind}`);
console.log(`${files} paths checked, ${problems.length} problems`);
