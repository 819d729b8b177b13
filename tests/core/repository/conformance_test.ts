import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { acquirePlanned, loadAvailable } from "../../../core/operations/available.ts";
import { refreshRepositories } from "../../../core/operations/refresh.ts";
import { packagesNamed, readCatalogue } from "../../../core/store/catalogue.ts";
import { readRepositoryState } from "../../../core/store/repository_state.ts";
import {
  type FixtureCase,
  fixtureCases,
  fixtureRules,
  type FixtureStep,
  serveFixtures,
} from "../../support/repository_fixture.ts";
import { openRepositoryWorld, plannedAs, type RepositoryWorld } from "../../support/repository_world.ts";

/** Exact cause of each failing step; a second one where a bare signature, which names no key, can say less. */
const rules = fixtureRules();

/** Runs one step; throws what the library throws. */
async function runStep(
  world: RepositoryWorld,
  step: FixtureStep,
  handle: string,
  baseUrl: string,
): Promise<"ok" | "no-progress"> {
  switch (step.op) {
    case "add":
      await world.add({
        handle,
        baseUrl,
        anchors: step.anchors ?? [],
        policy: step.policy ?? "required",
        insecure: step.allow_insecure ?? false,
        minIndexVersion: step.min_index_version ?? 0,
      });
      return "ok";
    case "refresh": {
      const [outcome] = (await refreshRepositories(world.open(), [handle])).results;
      if (outcome?.result === "failed") throw outcome.error;
      return outcome?.result === "unchanged" ? "no-progress" : "ok";
    }
    case "archive": {
      const workspace = world.open();
      const available = await loadAvailable(workspace, {
        dryRun: false,
        allowStale: true,
        gated: false,
        archives: true,
      });
      if (!available.digests.has(`${handle} archive`)) throw new PeipkgError("repository-unusable", "no archive");
      return "ok";
    }
    case "fetch":
      await fetchPackage(world, step, handle);
      return "ok";
  }
}

async function fetchPackage(world: RepositoryWorld, step: FixtureStep, handle: string): Promise<void> {
  const workspace = world.open();
  const archives = step.source === "archive";
  const available = await loadAvailable(workspace, {
    ...{ dryRun: false, allowStale: true, gated: false, archives },
    only: [handle],
  });
  const row = workspace.read((database) => database === undefined ? [] : packagesNamed(database, step.package ?? ""))
    .find((item) =>
      item.repository === handle && item.kind === (step.source ?? "active") &&
      (step.version === undefined || item.version === step.version)
    );
  if (row === undefined) throw new PeipkgError("unresolvable", "not offered");
  const acquired = await acquirePlanned(workspace, available, [plannedAs(row)], "x86_64");
  for (const item of acquired) {
    for (const warning of item.warnings) world.session.emit({ kind: "warning", warning });
    item[Symbol.dispose]();
  }
}

async function runCase(item: FixtureCase, bare: boolean): Promise<void> {
  using world = openRepositoryWorld();
  const hosts = new Map(Object.entries(item.hosts ?? {}));
  for (const [index, step] of item.steps.entries()) {
    const baseUrl = step.base_url ?? item.base_url;
    const handle = (step.repo ?? "main").replaceAll(/[^a-z0-9-]/g, "-");
    if (step.tree !== undefined) hosts.set(baseUrl.replace(/\/$/, ""), step.tree);
    world.serve = serveFixtures(hosts, bare);
    const where = `${item.id} step ${index + 1} (${step.op}): ${item.note}`;
    let outcome: string;
    let failure: unknown;
    try {
      outcome = await runStep(world, step, handle, baseUrl);
    } catch (error) {
      if (!(error instanceof PeipkgError)) throw error;
      outcome = "fail";
      failure = error;
    }
    if (step.expect !== "any") {
      const message = failure instanceof PeipkgError ? `: ${failure.detail.rule} ${failure.message}` : "";
      assert.equal(outcome, step.expect, `${where}${message}`);
    }
    if (failure instanceof PeipkgError) {
      const [rule, bareRule = rule] = rules[`${item.id} ${index + 1}`] ?? [];
      assert.equal(failure.detail.rule ?? failure.code, bare ? bareRule : rule, where);
    }
    if (step.warning === true) assert.notEqual(world.takeWarnings().length, 0, `${where}: no warning`);
    if (step.state?.index_version !== undefined) {
      assert.equal(recordedVersion(world, handle), step.state.index_version, where);
    }
  }
}

function recordedVersion(world: RepositoryWorld, handle: string): number | undefined {
  return world.open().read((database) => {
    if (database === undefined) return undefined;
    const state = readRepositoryState(database, handle);
    return state?.active.indexVersion ?? readCatalogue(database, handle, "active")?.indexVersion;
  });
}

Deno.test("R-SIG-06, R-SIG-08, R-SIG-10, R-KEY-01, R-KEY-02, R-KEY-03, R-IDX-09, R-PKG-03, R-PKG-05, R-PKG-06, R-POL-01, R-POL-07, R-REFRESH-04, R-REFRESH-05, R-REFRESH-06, R-REFRESH-07, R-DESC-01, R-ARC-04: published repositories give the published outcomes", async (t) => {
  for (const item of fixtureCases()) {
    await t.step(`${item.id} (envelopes)`, () => runCase(item, false));
    if (item.form !== "envelope") await t.step(`${item.id} (bare signatures)`, () => runCase(item, true));
  }
});
