/**
 * The published conformance repositories through the command line: every step is a command, every byte comes over HTTP
 * from a server on 127.0.0.1 that stands for all hosts of a case. The clock is that of the published outcomes.
 */
import assert from "node:assert/strict";
import { realSystem, type System } from "../../mod.ts";
import { runInProcess } from "../support/in_process.ts";
import {
  type FixtureCase,
  fixtureCases,
  fixtureRules,
  type FixtureStep,
  serveFixtures,
} from "../support/repository_fixture.ts";
import { WORLD_NOW } from "../support/repository_world.ts";

/** Carries the address a request was meant for to the server that stands for every host. */
const ORIGINAL = "x-original-address";
/** Waits up to this long pass at once. */
const SKIPPED_MILLISECONDS = 31_000;

const rules = fixtureRules();

interface Hosts extends AsyncDisposable {
  /** Tree by URL prefix. */
  readonly trees: Map<string, string>;
  readonly system: System;
}

function openHosts(bare: boolean): Hosts {
  const trees = new Map<string, string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const address = request.headers.get(ORIGINAL) ?? "";
    const answer = await serveFixtures(trees, bare)(address, {
      url: new URL(address),
      headers: {},
      signal: request.signal,
    });
    return answer?.body instanceof Uint8Array
      ? new Response(new Uint8Array(answer.body))
      : new Response("not found\n", { status: 404 });
  });
  const real = realSystem();
  const overridden: Partial<System> = {
    now: () => WORLD_NOW,
    sleep: (milliseconds, signal) =>
      milliseconds > SKIPPED_MILLISECONDS ? real.sleep(milliseconds, signal) : Promise.resolve(),
    fetch: (request) =>
      real.fetch({
        ...request,
        url: new URL(`http://127.0.0.1:${server.addr.port}/`),
        headers: { ...request.headers, [ORIGINAL]: request.url.href },
      }),
  };
  const system = new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(key in overridden ? overridden : target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    trees,
    system,
    async [Symbol.asyncDispose]() {
      real[Symbol.dispose]();
      await server.shutdown();
    },
  };
}

interface Outcome {
  readonly result: "ok" | "no-progress" | "fail";
  /** Rule and code of the failure. */
  readonly cause: readonly string[];
  /** Warnings, as they are named in JSON. */
  readonly warnings: readonly string[];
  readonly text: string;
}

/** The command line of one step. */
function commandOf(step: FixtureStep, handle: string, baseUrl: string, out: string): readonly string[] {
  const fetch = (target: string) => ["fetch", "--out", out, "--allow-stale", "--repository", handle, "-y", target];
  switch (step.op) {
    case "add":
      return [
        ...["repo", "add", handle, baseUrl, "-y", "--policy", step.policy ?? "required"],
        ...(step.anchors ?? []).flatMap((anchor) => ["--anchor", anchor]),
        ...(step.min_index_version === undefined ? [] : ["--min-index-version", String(step.min_index_version)]),
        ...(step.allow_insecure === true ? ["--insecure"] : []),
      ];
    case "refresh":
      return ["refresh", handle];
    case "fetch":
      return fetch(`${step.package}${step.version === undefined ? "" : `=${step.version}`}`);
    case "archive": // an exact version is what makes archives be fetched; there is none like this
      return fetch("hello=0-1");
  }
}

async function runStep(hosts: Hosts, root: string, step: FixtureStep, handle: string, baseUrl: string) {
  const { stdout, stderr } = await runInProcess(
    ["--root", root, "--json", ...commandOf(step, handle, baseUrl, `${root}/out`)],
    { system: hosts.system },
  );
  const events = stdout.trim().split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  const last = events.at(-1) ?? JSON.parse(stderr.trim()); // usage errors have no stream
  const warnings: string[] = events.filter(({ event }) => event === "warning").map(({ code }) => code);
  const outcome: Outcome = { result: "ok", cause: [], warnings, text: `${stdout}${stderr}` };
  if (step.op === "archive") {
    return warnings.includes("archive-skipped") ? { ...outcome, result: "fail" as const } : outcome;
  }
  if (last.event === "done") {
    const isUnchanged = events.some(({ event, result }) => event === "repository" && result === "unchanged");
    return isUnchanged ? { ...outcome, result: "no-progress" as const } : outcome;
  }
  const error = last.error ?? last;
  return { ...outcome, result: "fail" as const, cause: [error.details?.rule, error.code] };
}

async function recordedVersion(hosts: Hosts, root: string, handle: string): Promise<number | undefined> {
  const { stdout } = await runInProcess(["--root", root, "repo", "list", "--json"], { system: hosts.system });
  return JSON.parse(stdout).find(({ name }: { readonly name: string }) => name === handle)?.index_version;
}

async function runCase(item: FixtureCase, bare: boolean): Promise<void> {
  await using hosts = openHosts(bare);
  const root = await Deno.makeTempDir({ prefix: "peipkg-case-" });
  try {
    for (const [host, tree] of Object.entries(item.hosts ?? {})) hosts.trees.set(host, tree);
    for (const [index, step] of item.steps.entries()) {
      const baseUrl = step.base_url ?? item.base_url;
      const handle = (step.repo ?? "main").replaceAll(/[^a-z0-9-]/g, "-");
      if (step.tree !== undefined) hosts.trees.set(baseUrl.replace(/\/$/, ""), step.tree);
      const outcome = await runStep(hosts, root, step, handle, baseUrl);
      const where = `${item.id} step ${index + 1} (${step.op}): ${item.note}\n${outcome.text}`;
      if (step.expect !== "any") assert.equal(outcome.result, step.expect, where);
      if (outcome.result === "fail" && outcome.cause.length > 0) {
        const [rule, bareRule = rule] = rules[`${item.id} ${index + 1}`] ?? [];
        assert.ok(outcome.cause.includes((bare ? bareRule : rule) ?? ""), where);
      }
      if (step.warning === true) assert.notEqual(outcome.warnings.length, 0, `${where}: no warning`);
      if (step.state?.index_version !== undefined) {
        assert.equal(await recordedVersion(hosts, root, handle), step.state.index_version, where);
      }
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("C-REPO-06, C-REPO-07, C-REFRESH-02, C-FETCH-01, R-REFRESH-04, R-IDX-09: published repositories give the published outcomes on the command line", async (t) => {
  for (const item of fixtureCases()) {
    await t.step(`${item.id} (envelopes)`, () => runCase(item, false));
    if (item.form !== "envelope") await t.step(`${item.id} (bare signatures)`, () => runCase(item, true));
  }
});
