/**
 * Every error code through the program, each with its whole screen; codes that need a signal, a full disk or a defect
 * are named with the test that produces them.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ERROR_CODES } from "../../cli/error_codes.ts";
import { encodeBase64 } from "../../core/format/base64.ts";
import { type ErrorCode, RULE_CODES } from "../../mod.ts";
import { descriptor, SYSTEM } from "../support/descriptors.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { assertScreens, normalise, type Screen } from "../support/golden.ts";
import { type InProcessOptions, runInProcess } from "../support/in_process.ts";
import { judgeJson } from "../support/json_output.ts";

/** Codes this file cannot produce → the test that does. */
const ELSEWHERE: { readonly [code in ErrorCode]?: string } = {
  "confirmation-required": "tests/cli/run_test.ts",
  "interrupted": "tests/e2e/signal_test.ts",
  "internal": "tests/cli/run_test.ts",
  "alternate-upgrade": "tests/e2e/late_profile_test.ts",
  "no-space": "tests/core/transaction/failure_test.ts",
  "vulnerable": "tests/e2e/audit_test.ts",
};

const DAY_MILLISECONDS = 86_400_000;

const lib = (version: string): PackageSpec => ({
  name: "lib",
  version,
  files: { "usr/share/lib/v": `${version}\n`, "etc/lib.conf": "level=1\n" },
});
const APP: PackageSpec = {
  name: "app",
  version: "1.0-1",
  dependencies: [{ name: "lib", constraint: ">= 1.0" }],
  files: { "usr/bin/app": "app\n" },
};
const RIVAL: PackageSpec = { name: "rival", version: "1.0-1", files: { "usr/bin/app": "rival\n" } };
const EXTRA: PackageSpec = { name: "extra", version: "1.0-1", files: { "usr/share/extra/x": "x\n" } };
const EXTRA2: PackageSpec = { ...EXTRA, version: "2.0-1" };
const DAMAGED: PackageSpec = { name: "damaged", version: "1.0-1", files: { "usr/share/damaged/x": "x\n".repeat(900) } };
const SELF: PackageSpec = { name: "peipkg", version: "1.0-1", files: { "usr/share/peipkg/x": "x\n" } };
const CONSUMER: PackageSpec = {
  name: "consumer",
  version: "1.0-1",
  dependencies: [{ name: "registry", claims: { daemon: { path: "/usr/sbin/registry" } } }],
};
const PROVIDER: PackageSpec = {
  name: "provider",
  version: "1.0-1",
  provides: [{ name: "registry", claims: { daemon: { target: "/usr/sbin/provider" } } }],
  files: { "usr/sbin/provider": "p\n" },
};
const DESCRIBED: PackageSpec = {
  name: "described",
  version: "1.0-1",
  files: { "usr/share/described/x": "x\n" },
  manifest: { sd_overrides: [{ path: "usr/share/described/x", sd: encodeBase64(descriptor({ owner: SYSTEM })) }] },
};
const WANTING: PackageSpec = { name: "wanting", version: "1.0-1", dependencies: ["nowhere"] };

/** Calls, their codes, and the screens they gave. */
class Errors {
  readonly screens: Screen[] = [];
  readonly seen = new Set<string>();
  /** Gathered, so that one run shows everything that is wrong. */
  readonly wrong: string[] = [];

  constructor(readonly world: World) {}

  /** Runs a call that fails, once for programs and once for people. */
  async fails(code: ErrorCode, args: readonly string[], options: InProcessOptions & { rule?: string } = {}) {
    const { root, directory } = this.world;
    const common = { cwd: directory, ...options };
    const full = ["--root", root, ...args];
    const json = await runInProcess(["--json", ...full], common);
    const { faults } = judgeJson("peipkg", ["--json", ...full], json);
    this.wrong.push(...faults.map((fault) => `${args.join(" ")}: ${fault}`));
    const last = json.stderr === ""
      ? json.stdout.trimEnd().split("\n").at(-1)
      : json.stderr.trimEnd().split("\n").at(-1);
    const found = JSON.parse(last ?? "");
    const failure = found.error ?? found;
    const rule = options.rule === undefined || failure.details?.rule === options.rule ? "" : failure.details?.rule;
    if (failure.code !== code || rule !== "") this.wrong.push(`${args.join(" ")}: ${last} ${json.stderr}`);
    const { status, stdout, stderr } = await runInProcess(full, common);
    assert.equal(status, json.status, "C-JSON-03: the status does not depend on --json");
    this.seen.add(code);
    const call = args.filter((word) => word !== "--yes").join(" ");
    const text = `$ peipkg ${call}\n${stdout}${stdout === "" ? "" : "--- stderr\n"}${stderr}status ${status}\n`;
    this.screens.push({ title: code, text: normalise(text, directory) });
  }
}

async function callErrors(errors: Errors): Promise<void> {
  const { world } = errors;
  await errors.fails("usage", ["list", "--nope"]);
  await errors.fails("config", ["-o", "lock_wait=soon", "list"]);
  await errors.fails("no-root", ["--root", "/nonexistent-root", "list"]);
  await errors.fails("not-installed", ["info", "lib"]);
  await errors.fails("not-owned", ["owns", "/usr/bin/none"]);
  await errors.fails("nothing-to-undo", ["undo", "--yes"]);
  await errors.fails("failed", ["history", "99"]);
  await errors.fails("unknown-repository", ["refresh", "mian"]);
  await errors.fails("io", ["info", "/nonexistent.peipkg"]);
  await Deno.writeTextFile(`${world.directory}/garbage.peipkg`, "this is not a package");
  await errors.fails("format", ["install", `${world.directory}/garbage.peipkg`, "--yes"]);
  await errors.fails("unknown-role", ["claim", "nothing"]);
}

async function repositoryErrors(errors: Errors, url: string): Promise<void> {
  const { world } = errors;
  const { anchor } = world;
  const stranger = "0".repeat(64);
  await errors.fails("anchor-mismatch", ["repo", "add", "main", url, "--anchor", stranger, "--insecure", "--yes"]);
  await errors.fails("transport", ["repo", "add", "main", `${url}/none`, "--anchor", anchor, "--insecure", "--yes"]);
  await errors.fails("transport", ["repo", "add", "main", url, "--anchor", anchor, "--yes"]);
  await world.addRepository(url);
  await errors.fails("exists", ["repo", "add", "main", `${url}/x`, "--anchor", anchor, "--insecure", "--yes"]);
  const file = `${world.root}/conf/peipkg/other.repo`;
  await Deno.writeTextFile(
    file,
    `base_url = "${url}"\ntrust_anchors = ["${anchor}"]\nallow_insecure_transport = true\n`,
  );
  await errors.fails("untrusted", ["install", "app", "--yes"]);
  await Deno.writeTextFile(file, `base_url = "${url}"\nprioritaet = 10\n`);
  await errors.fails("repo-config", ["install", "app", "--yes"]);
  await Deno.remove(file);
  const far = { clockAhead: 120 * DAY_MILLISECONDS };
  await errors.fails("stale", ["install", "app", "--yes"], far);
}

async function planErrors(errors: Errors): Promise<void> {
  const { world } = errors;
  await errors.fails("unresolvable", ["install", "apq", "--yes"], { rule: "E_NO_CANDIDATE" });
  await errors.fails("unresolvable", ["install", "wanting", "--yes"]);
  await errors.fails("unresolvable", ["install", "lib=9.9-1", "--yes"]);
  await errors.fails("collision", ["install", "app", "rival", "--yes"]);
  await Deno.mkdir(`${world.root}/usr/share/extra`, { recursive: true });
  await Deno.writeTextFile(`${world.root}/usr/share/extra/x`, "mine\n");
  await errors.fails("unowned", ["install", "extra", "--yes"]);
  await world.expect(["install", "app", "consumer", "provider", "peipkg", "--yes"]);
  await errors.fails("collision", ["install", "rival", "--yes"]);
  await errors.fails("unresolvable", ["remove", "lib", "--yes"], { rule: "E_REMOVAL_BLOCKED" });
  await errors.fails("critical", ["remove", "peipkg", "--yes"]);
  await errors.fails("not-eligible", ["claim", "registry", "grant", "app", "--yes"]);
  await world.expect(["claim", "registry", "revoke", "--allow-critical", "--yes"]);
  await errors.fails("not-held", ["claim", "registry", "revoke", "--yes"]);
  await errors.fails("not-installed", ["info", "peipgk"]);
  await errors.fails("not-installed", ["verify", "ap"]);
  await errors.fails("unknown-repository", ["search", "--repository", "mian", "lib"]);
  await errors.fails("unknown-repository", ["repo", "keys", "mian"]);
  await world.expect(["lock", "lib"]);
  await world.publish([lib("2.0-1")]);
  await world.expect(["refresh"]);
  await errors.fails("locked", ["upgrade", "lib", "--yes"]);
  await world.expect(["unlock", "lib"]);
  await world.expect(["upgrade", "--yes"]);
  await errors.fails("authorisation-required", ["downgrade", "lib", "1.0-1", "--yes"]);
  await Deno.writeTextFile(`${world.root}/etc/lib.conf`, "level=9\n");
  await errors.fails("modified", ["remove", "app", "lib", "--yes"]);
  await errors.fails("unresolvable", ["downgrade", "lib", "3.0-1", "--yes"], { rule: "E_NOT_A_DOWNGRADE" });
}

async function trustErrors(errors: Errors): Promise<void> {
  const { world } = errors;
  const bytes = await Deno.readFile(world.published(DAMAGED));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x10;
  await Deno.writeFile(world.published(DAMAGED), bytes);
  await errors.fails("hash", ["install", "damaged", "--yes"]);
  const index = `${world.repository()}/index/active.json`;
  const text = await Deno.readTextFile(index);
  await world.publish([lib("3.0-1")]);
  await Deno.writeTextFile(index, text.replace("Test package", "Fine package"));
  await errors.fails("signature", ["refresh"]);
  await world.publish([]);
  await copyTree(world.repository(), `${world.repository()}.old`);
  await world.publish([EXTRA2]);
  await world.expect(["refresh"]);
  await Deno.remove(world.repository(), { recursive: true });
  await copyTree(`${world.repository()}.old`, world.repository());
  await errors.fails("index-rollback", ["refresh"]);
  const local = await world.pack(DESCRIBED);
  // C-INSTALL-06: refused as they are, asked for when they are to be ignored, recorded when they are to be stored.
  await errors.fails("sd-override", ["install", "described", "--yes"]);
  await errors.fails("authorisation-required", ["install", local, "--sd-overrides", "ignore", "--yes"]);
  const stored = await world.peipkg(["install", local, "--sd-overrides", "store", "--dry-run"]);
  assert.equal(stored.status, 0, stored.stderr);
  const cache = `${world.root}/var/lib/peipkg/cache`;
  await Deno.rename(cache, `${cache}.away`);
  await errors.fails("repository-unusable", ["install", "extra", "--yes"]);
  await Deno.rename(`${cache}.away`, cache);
}

/** What is wrong with the state itself; each leaves it as it was. */
async function stateErrors(errors: Errors): Promise<void> {
  const { world } = errors;
  const state = `${world.root}/var/lib/peipkg`;
  const local = { ...EXTRA, name: "local", files: { "usr/share/local/x": "x\n" } };
  await world.expect(["install", await world.pack(local), "--yes"]);
  await world.expect(["remove", "local", "--yes"]);
  await Deno.remove(`${state}/retained`, { recursive: true });
  await errors.fails("undo-unavailable", ["undo", "--yes"]);
  using lock = await Deno.open(`${state}/lock`);
  await lock.lock(true);
  await errors.fails("busy", ["mark", "manual", "lib"]);
  await lock.unlock();
  await Deno.rename(`${state}/lock`, `${state}/lock.away`);
  await Deno.symlink("/dev/null", `${state}/lock`);
  await errors.fails("denied", ["mark", "manual", "lib"]);
  await Deno.rename(`${state}/lock.away`, `${state}/lock`);
  edit(
    state,
    "INSERT INTO txn (id, state, phase, kind, started_at, op_summary, operator, invocation, " +
      "started_by_version, journal_schema_version, boot_id) VALUES (900, 'pending', 'staging', 'package', 1, 'install x', " +
      "'{}', 'i', '9.0.0', 99, 'b')",
  );
  await errors.fails("journal-version", ["mark", "manual", "lib"]);
  await errors.fails("journal-version", ["recover"]); // C-RECOVER-03
  const warning = "peipkg: warning: transaction 900 was interrupted; " +
    "the next change command or 'peipkg recover' rolls it back\n";
  assert.equal((await world.peipkg(["list"])).stderr, warning, "C-ERR-09");
  const verified = (await world.peipkg(["verify", "lib"])).stderr;
  assert.equal(verified.split("transaction 900").length, 2, "one warning, in one wording");
  edit(state, "UPDATE txn SET journal_schema_version = 1, indeterminate = 1, phase = 'applying' WHERE id = 900");
  await errors.fails("indeterminate", ["mark", "manual", "lib"]);
  assert.equal(
    (await world.peipkg(["list"])).stderr,
    "peipkg: warning: transaction 900 could not be rolled back completely; run 'peipkg recover'\n",
    "C-ERR-07",
  );
  const call = ["--json", "recover", "--report"];
  assert.deepEqual(judgeJson("peipkg", call, await world.peipkg(call)).faults, []);
  edit(state, "DELETE FROM txn WHERE id = 900");
  await Deno.remove(`${world.root}/usr/share/lib/v`);
  await world.expect(["repo", "remove", "main"]);
  await errors.fails("problems-found", ["check", "--fix", "--yes"]);
  for (const name of ["db.sqlite-wal", "db.sqlite-shm"]) await Deno.remove(`${state}/${name}`).catch(() => {});
  await Deno.writeTextFile(`${state}/db.sqlite`, "not a database ".repeat(200));
  await errors.fails("database", ["list"]);
}

function edit(state: string, sql: string): void {
  using database = new DatabaseSync(`${state}/db.sqlite`);
  database.exec(sql);
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

Deno.test("C-ERR-01, C-ERR-02, C-ERR-05, C-ERR-06, C-ERR-07, C-ERR-09, C-JSON-04, C-JSON-13: every error code, its screen and its data", async () => {
  await using world = await World.create(runInProcess, "memory");
  const errors = new Errors(world);
  await callErrors(errors);
  await world.publish([lib("1.0-1"), APP, RIVAL, EXTRA, SELF, CONSUMER, PROVIDER, WANTING, DESCRIBED, DAMAGED]);
  await repositoryErrors(errors, world.serve().url);
  await planErrors(errors);
  await trustErrors(errors);
  await stateErrors(errors);
  assert.deepEqual(errors.wrong, []);
  assertScreens("errors", errors.screens);
  for (const [code, path] of Object.entries(ELSEWHERE)) {
    const rules = Object.entries(RULE_CODES).filter(([, value]) => value === code).map(([rule]) => rule);
    const text = await Deno.readTextFile(path);
    assert.ok([code, ...rules].some((word) => text.includes(word)), `${path} no longer produces ${code}`);
  }
  const missing = ERROR_CODES.filter((code) => !errors.seen.has(code) && ELSEWHERE[code] === undefined);
  assert.deepEqual(missing, []);
});
