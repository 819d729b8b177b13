import { commitRepositoryAdd, fetchRepositoryAdd, groupFingerprint, openWorkspace, PeipkgError } from "../../mod.ts";
import { planRepositoryAdd, readRepositorySeed, realSystem } from "../../mod.ts";

const [root = "/", file = ""] = Deno.args;
const session = {
  system: realSystem(),
  emit: () => {},
  signal: new AbortController().signal,
  invocation: crypto.randomUUID().replaceAll("-", ""),
  version: "installer 1.0",
  command: "begin",
};
const options = new Map([["root", root]]);
using workspace = openWorkspace(session, { options, overrides: [], environment: new Map(), version: session.version });
try {
  const configuration = readRepositorySeed(session, file);
  const plan = planRepositoryAdd(workspace, { handle: configuration.handle, configuration });
  if (!plan.isSettled) {
    const ceremony = await fetchRepositoryAdd(workspace, plan);
    for (const { fingerprint, matches } of ceremony.keys) {
      console.log(groupFingerprint(fingerprint), matches ? "is an anchor" : "");
    }
    // A program that may ask a person asks here, before anything is recorded.
    const { packages } = await commitRepositoryAdd(workspace, ceremony);
    console.log(`${packages} packages on offer`);
  }
} catch (error) {
  if (!(error instanceof PeipkgError)) throw error;
  console.log(`${error.code}: ${error.message}`);
  Deno.exitCode = 1;
}
