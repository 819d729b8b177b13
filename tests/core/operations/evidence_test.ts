/** Evidence of elevated actions and of changed settings. */
import assert from "node:assert/strict";
import { SETTINGS } from "../../../core/config/setting_table.ts";
import type { SettingValue } from "../../../core/config/settings.ts";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import { parseVersion } from "../../../core/identity/version.ts";
import { findWeakenings } from "../../../core/operations/accepted_configuration.ts";
import { acceptSettings } from "../../../core/operations/accepted_settings.ts";
import { digestPlan } from "../../../core/operations/authorisations.ts";
import type { RepositoryAuditEvent } from "../../../core/operations/repository_access.ts";
import type { Plan } from "../../../core/resolver/plan.ts";
import { DEFAULT_REPOSITORY_SETTINGS, type RepositorySettings } from "../../../core/identity/repository_settings.ts";
import { PathRules } from "../../../core/transaction/collision.ts";
import { createDatabase, openStateFixture } from "../store/support.ts";

const ACCEPTED: RepositorySettings = {
  ...DEFAULT_REPOSITORY_SETTINGS,
  baseUrl: "https://example.org/",
  trustAnchors: ["a".repeat(64)],
};

Deno.test("A-AUTH-A06, A-AUTH-A07: weaker policy, lost anchors and plain transport are each an action", () => {
  const found = (old: Partial<RepositorySettings>, next: Partial<RepositorySettings>) =>
    findWeakenings({ ...ACCEPTED, ...old }, { ...ACCEPTED, ...old, ...next, handle: "main" }).map(({ action }) =>
      action
    );
  assert.deepEqual(found({}, { allowInsecureTransport: true }), ["AUTH_INSECURE_TOGGLE"]);
  assert.deepEqual(found({ allowInsecureTransport: true }, { allowInsecureTransport: true }), []);
  assert.deepEqual(found({ allowInsecureTransport: true }, { allowInsecureTransport: false }), []);
  assert.deepEqual(found({}, { signaturePolicy: "optional" }), ["AUTH_WEAKEN_POLICY"]);
  assert.deepEqual(found({ signaturePolicy: "optional" }, { trustAnchors: [] }), ["AUTH_WEAKEN_POLICY"]);
  assert.deepEqual(found({ signaturePolicy: "optional" }, { signaturePolicy: "required" }), []);
  assert.deepEqual(found({}, { signaturePolicy: "optional", allowInsecureTransport: true }), [
    "AUTH_INSECURE_TOGGLE",
    "AUTH_WEAKEN_POLICY",
  ]);
});

Deno.test("A-EVENT-10: an edited peipkg.toml is reported by the next writer, once, with both values", () => {
  using fixture = openStateFixture();
  const database = createDatabase(fixture);
  const run = (
    changed: Readonly<Record<string, readonly [value: SettingValue["value"], source: SettingValue["source"]]>>,
  ) => {
    const events: RepositoryAuditEvent[] = [];
    const values = SETTINGS.map((definition): SettingValue => {
      const [value, source] = changed[definition.key] ?? [definition.default, "default"];
      return { definition, value, source };
    });
    acceptSettings(values, database, (event) => events.push(event));
    return events.map(({ change }) => [change?.setting, change?.old, change?.new, change?.via]);
  };
  assert.deepEqual(run({}), [], "the first writer has nothing to compare with");
  const edited = { max_trusted_age_days: [60, "file"], dropin_directories: [["/etc/x.d"], "file"] } as const;
  assert.deepEqual(run(edited), [
    ["max_trusted_age_days", "30", "60", "file"],
    ["dropin_directories", "", "/etc/x.d", "file"],
  ]);
  assert.deepEqual(run(edited), []);
  // What an option or a variable says for one run is no change of the file.
  assert.deepEqual(run({ ...edited, max_trusted_age_days: [5, "environment"] }), []);
  assert.deepEqual(run({ ...edited, fetch_retries: [9, "file"] }), [], "not what trust rests on");
  assert.deepEqual(run({}).length, 2, "going back is a change too");
});

const target = {
  name: parsePackageName("tool"),
  version: parseVersion("1.0-1"),
  architecture: "noarch" as const,
  origin: { kind: "repository" as const, repository: "main", priority: 10 },
  hash: "0".repeat(64),
  sizeCompressedBytes: 1,
  sizeInstalledBytes: 1,
  url: "x",
};
const PLAN: Plan = {
  kind: "plan",
  operations: [{
    kind: "install",
    target,
    reason: "explicit",
    requested: true,
    cause: { kind: "requested" },
    replaces: [],
  }],
  authorisations: [],
  heldBack: [],
  suggestions: [],
  marks: [],
  warnings: [],
};

Deno.test("A-AUTH-07: the digest names the plan, whatever else was shown with it", () => {
  const digest = digestPlan(PLAN, []);
  assert.match(digest, /^[0-9a-f]{64}$/);
  const reordered = { ...target, url: target.url, name: target.name };
  const [operation] = PLAN.operations;
  assert.ok(operation?.kind === "install");
  assert.equal(digestPlan({ ...PLAN, operations: [{ ...operation, target: reordered }] }, []), digest);
  assert.equal(digestPlan({ ...PLAN, warnings: [{ rule: "W_UNSIGNED", text: "x" }] }, []), digest);
  assert.notEqual(digestPlan(PLAN, [{ role: "r", from: undefined, to: "tool" }]), digest);
  assert.notEqual(
    digestPlan({ ...PLAN, operations: [{ ...operation, target: { ...target, hash: "1".repeat(64) } }] }, []),
    digest,
  );
});

Deno.test("A-DROPIN-01, A-DROPIN-02: the protected directories, and those the operator adds to them", () => {
  const names = ["ld.so.conf.d", "profile.d", "sudoers.d", "cron.d", "cron.daily", "cron.hourly", "cron.weekly"];
  const rules = new PathRules([], ["/etc/extra.d"]);
  for (const name of [...names, "cron.monthly", "sysctl.d", "modules-load.d", "modprobe.d", "binfmt.d", "extra.d"]) {
    assert.equal(rules.allowsDropin(`/etc/${name}/x.conf`, "extra", "tool"), false, name);
    assert.equal(rules.allowsDropin(`/etc/${name}/extra/tool/x.conf`, "extra", "tool"), true, name);
  }
  assert.equal(new PathRules([], []).allowsDropin("/etc/extra.d/x.conf", "extra", "tool"), true);
  assert.equal(rules.allowsDropin("/etc/tool/x.conf", "extra", "tool"), true);
});

Deno.test("A-OPER-05: nothing outside the file-system room names /proc", async () => {
  const found: string[] = [];
  const visit = async (directory: string): Promise<void> => {
    for await (const entry of Deno.readDir(directory)) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory) await visit(path);
      else if (path.endsWith(".ts") && !path.startsWith("core/fs/")) {
        if (/["'`]\/proc/.test((await Deno.readTextFile(path)).replace(/\/\*[^]*?\*\/|\/\/.*/g, ""))) found.push(path);
      }
    }
  };
  for (const directory of ["core", "cli"]) await visit(directory);
  assert.deepEqual(found, []);
});
