/** What an operator sees of repositories: adding, listing, refreshing, their age, their loss, and weakened settings. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { recordedTerminal } from "../cli/support/recorded_terminal.ts";
import type { CliResult } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { runInProcess } from "../support/in_process.ts";

const DAY = 86_400_000;
const TOOL: PackageSpec = { name: "tool", version: "1.0-1", files: { "usr/share/tool/t": "1\n" } };
const TOOL2: PackageSpec = { name: "tool", version: "2.0-1", files: { "usr/share/tool/t": "2\n" } };
const MAIL: PackageSpec = { name: "mail", version: "1.0-1" };
const STRANGE: PackageSpec = {
  name: "strange",
  version: "1.0-1",
  provides: [{ name: "mail", version: "9.0-1" }],
  files: { "usr/share/strange/s": "s\n" },
};
const NEEDY: PackageSpec = { name: "needy", version: "1.0-1", dependencies: [{ name: "mail", constraint: ">= 5" }] };

const begin = (): Promise<World> => World.create(runInProcess);

/** The program some days from now. */
function later(world: World, days: number, args: readonly string[]): Promise<CliResult> {
  return runInProcess(["--root", world.root, ...args], { clockAhead: days * DAY });
}

const eventsOf = ({ stdout }: CliResult) => stdout.trim().split("\n").map((line) => JSON.parse(line));

Deno.test("C-REPO-01, C-REPO-02, C-REPO-03, C-REPO-10, R-CONF-05, R-KEY-04: settings of repo add reach the file and the list", async () => {
  await using world = await begin();
  await world.publish([TOOL]);
  const grouped = (world.anchor.toUpperCase().match(/.{4}/g) ?? []).join(":");
  const url = `file://${world.repository()}`;
  assert.equal((await world.expect(["repo", "list"])).stdout, "no repositories configured\n");
  const { stderr } = await world.expect([
    ...["repo", "add", "main", url, "--anchor", grouped, "-y", "--priority", "7", "--policy", "optional"],
    ...["--min-index-version", "2", "--max-trusted-age-days", "200", "--max-index-staleness-days", "400"],
  ]);
  assert.match(stderr, new RegExp(`signs with\\n  ${(world.anchor.match(/.{4}/g) ?? []).join(" ")}  active\\n`));
  const file = await Deno.readTextFile(`${world.root}/conf/peipkg/main.repo`);
  for (
    const line of [
      "priority = 7",
      'signature_policy = "optional"',
      "min_index_version = 2",
      "max_trusted_age_days = 200",
      "max_index_staleness_days = 400",
    ]
  ) assert.ok(file.includes(line), `${line}\n${file}`);
  const list = await world.expect(["repo", "list"]);
  assert.equal(list.stdout, `main  ${url}  priority=7  optional\n`);
  const limits = (await world.expect(["refresh"])).stderr.match(/warning: /g) ?? [];
  assert.equal(limits.length, 2); // both limits are above what is usual, and said so every time
  assert.equal((await later(world, 201, ["repo", "list"])).stdout, `main  ${url}  priority=7  optional  [stale]\n`);
  await world.expect(["repo", "add", "low", url, "--anchor", world.anchor, "-y", "--min-index-version", "3"], 1);
  for (const wrong of [["--priority", "0"], ["--policy", "none"], ["--anchor", "beef"]]) {
    await world.expect(["repo", "add", "low", url, ...wrong], 2);
  }
});

Deno.test("C-REFRESH-01 to C-REFRESH-07, R-NET-02: refresh tells each repository and fails with the first failure", async () => {
  await using world = await begin();
  assert.equal((await world.expect(["refresh"])).stdout, "no repositories to refresh\n"); // C-REFRESH-04
  await world.publish([TOOL]);
  await world.publish([MAIL], "second");
  const add = (handle: string, name: string) =>
    world.expect(["repo", "add", handle, `file://${world.repository(name)}`, "--anchor", world.anchor, "-y"]);
  await add("main", "main");
  await add("second", "second");
  assert.equal((await world.expect(["refresh"])).stdout, 'refreshed "main"\nrefreshed "second"\n');
  assert.match((await world.expect(["-v", "refresh"])).stdout, /^refreshed "main" \(no newer index\)\n/);
  await Deno.remove(`${world.repository("second")}/repo.json`);
  await world.publish([TOOL2]);
  const failed = await world.expect(["refresh"], 1);
  assert.equal(failed.stdout, 'refreshed "main"\n');
  const lines = failed.stderr.trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^peipkg: refreshing "second" failed: cannot read "file:/);
  assert.equal(lines.at(-1), "peipkg: refresh: 1 of 2 repositories failed"); // C-REFRESH-05
  const events = eventsOf(await world.expect(["--json", "refresh"], 1)); // C-REFRESH-07: neither prompt nor --yes
  const told = events.filter(({ event }) => event === "repository").map(({ name, result }) => [name, result]);
  assert.deepEqual(told, [["main", "unchanged"], ["second", "failed"]]);
  const last = events.at(-1);
  assert.deepEqual([last.event, last.code, last.details.rule], ["error", "transport", "E_FILE_FETCH"]);
  const unknown = await world.expect(["refresh", "main", "third"], 1);
  assert.match(unknown.stderr, /repository "third" is not configured/);
  // C-REFRESH-06: a file written by hand is trusted by its own anchors at the first refresh.
  await Deno.writeTextFile(
    `${world.root}/conf/peipkg/hand.repo`,
    `base_url = "file://${world.repository()}"\ntrust_anchors = ["${world.anchor}"]\n`,
  );
  assert.match((await world.expect(["repo", "list"])).stdout, /^hand .*\[not trusted\]$/m);
  assert.equal((await world.expect(["refresh", "hand"])).stdout, 'refreshed "hand"\n');
  assert.doesNotMatch((await world.expect(["repo", "list"])).stdout, /not trusted/);
});

Deno.test("C-INSTALL-02, C-INSTALL-14, R-AGE-04, R-AGE-05: an over-age repository is refreshed first, refused, or allowed by name", async () => {
  await using world = await begin();
  await world.publish([TOOL, MAIL]);
  await world.expect(["repo", "add", "main", `file://${world.repository()}`, "--anchor", world.anchor, "-y"]);
  const refused = await later(world, 41, ["install", "tool", "--yes"]);
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /^peipkg: repository "main" last refreshed 41d ago \(maximum 30d\); refreshing\n/m,
  );
  assert.match(refused.stderr, /^peipkg: install: .*41/m);
  const dry = await later(world, 41, ["install", "tool", "--dry-run"]);
  assert.equal(dry.status, 0);
  assert.doesNotMatch(dry.stderr, /refreshing/);
  assert.match(dry.stderr, /warning: .*main/);
  const allowed = await later(world, 41, ["install", "tool", "--yes", "--allow-stale"]);
  assert.equal(allowed.status, 0);
  assert.match(allowed.stderr, /warning: using repository "main" past its age limit of 30d, as --allow-stale asks/);
  assert.equal((await later(world, 41, ["remove", "tool", "--yes"])).status, 0); // R-AGE-06
  await world.publish([TOOL2]); // dated now: progress, and young enough
  assert.equal((await later(world, 41, ["install", "tool", "--yes"])).status, 0);
  assert.equal(await Deno.readTextFile(`${world.root}/usr/share/tool/t`), "2\n");
});

Deno.test("R-PRIO-02, R-PRIO-03, R-CONF-04, R-ORPH-01 to R-ORPH-04, R-RM-02: the stronger repository wins, a removed one leaves orphans", async () => {
  await using world = await begin();
  await world.publish([TOOL, MAIL]);
  await world.publish([TOOL2, STRANGE, NEEDY], "second");
  const add = (name: string, priority: string) =>
    world.expect([
      ...["repo", "add", name, `file://${world.repository(name)}`, "--anchor", world.anchor, "-y"],
      ...["--priority", priority],
    ]);
  await add("second", "60");
  await add("main", "40");
  assert.deepEqual(
    (await world.expect(["repo", "list"])).stdout.match(/^\w+/gm),
    ["main", "second"],
  );
  await world.expect(["install", "tool", "--yes"]); // the same name twice is no error
  assert.match((await world.expect(["list"])).stdout, /^tool {2}1\.0-1 /m);
  const shadow = await world.expect(["install", "needy", "--dry-run", "--json"]);
  const events = eventsOf(shadow);
  assert.ok(events.some(({ event, code }) => event === "warning" && code === "provides-shadow"), shadow.stdout);
  await world.expect(["repo", "remove", "main"]);
  assert.match((await world.expect(["list"])).stdout, /orphaned/); // R-ORPH-02
  assert.match((await world.expect(["info", "tool"])).stdout, /main \(orphaned — no longer configured\)/);
  for (const command of ["list", "info"]) {
    const document = JSON.parse((await world.expect([command, "--json", "tool"])).stdout);
    assert.equal((Array.isArray(document) ? document[0] : document).orphaned, true);
  }
  await world.expect(["repo", "remove", "second"]);
  const upgrade = await world.expect(["--json", "upgrade", "tool", "--yes"], 1);
  assert.equal(eventsOf(upgrade).at(-1).details.rule, "E_ORPHAN_NO_SOURCE");
  const removal = await world.expect(["remove", "tool", "--yes"]);
  assert.match(removal.stdout + removal.stderr, /tool is orphaned/); // R-ORPH-03
});

Deno.test("R-IDX-08: where index and manifest tell a package differently, the manifest is recorded", async () => {
  await using world = await begin();
  await world.publish([{ ...TOOL, description: "what the packager wrote" }]);
  for (const index of ["active", "archive"]) {
    const path = `${world.repository()}/index/${index}.json`;
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace("what the packager wrote", "what the index says"));
  }
  await world.publish([]); // signed again as it stands
  await world.expect(["repo", "add", "main", `file://${world.repository()}`, "--anchor", world.anchor, "-y"]);
  assert.match((await world.expect(["search", "tool"])).stdout, /what the index says/);
  await world.expect(["install", "tool", "--yes"]);
  assert.match((await world.expect(["info", "tool"])).stdout, /what the packager wrote/);
});

Deno.test("R-TRANS-04, C-PROMPT-03, C-AUTH-04, C-AUTH-05, C-AUTH-06: a weakened file is asked about once, before the plan", async () => {
  await using world = await begin();
  await world.publish([TOOL, MAIL]);
  await world.expect(["repo", "add", "main", `file://${world.repository()}`, "--anchor", world.anchor, "-y"]);
  const file = `${world.root}/conf/peipkg/main.repo`;
  await Deno.writeTextFile(file, `${await Deno.readTextFile(file)}signature_policy = "optional"\n`);
  const install = (lines: readonly string[]) => {
    const terminal = recordedTerminal({ lines, terminals: ["stdin", "stdout", "stderr"] });
    return runInProcess(["--root", world.root, "install", "tool"], { terminal });
  };
  const refresh = await world.expect(["refresh"], 1); // refresh never asks
  assert.match(refresh.stderr, /peipkg repo add main/);
  await world.expect(["install", "tool", "--yes"], 1);
  assert.match((await install(["n"])).stdout, /cancelled — required authorisation was not given\n$/);
  // A yes to the settings and a no to the plan changes nothing, so that the settings are asked about again.
  assert.match((await install(["y", "n"])).stdout, /signature_policy[\s\S]*following changes[\s\S]* cancelled\n$/);
  const done = await install(["y", "y"]);
  assert.equal(done.status, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /signature_policy from required to optional[\s\S]*following changes/);
  await world.expect(["install", "mail", "--yes"]); // accepted: not asked again
  await world.expect(["refresh"]);
  const log = await Deno.readTextFile(`${world.root}/var/log/peipkg/audit.jsonl`);
  assert.match(log, /config-change/);
});

Deno.test("R-CACHE-06, C-SEARCH-03, R-RM-03: queries say what they skip, cleaning forgets a file that was deleted", async () => {
  await using world = await begin();
  await world.publish([TOOL]);
  await Deno.mkdir(`${world.root}/conf/peipkg`, { recursive: true });
  const file = `${world.root}/conf/peipkg/main.repo`;
  await Deno.writeTextFile(file, `base_url = "file://${world.repository()}"\ntrust_anchors = ["${world.anchor}"]\n`);
  for (const args of [["search", "tool"], ["stats"]]) { // nothing was ever written to this root
    const { stderr } = await world.peipkg(args);
    assert.match(stderr, /warning: repository "main" is skipped: its trust ceremony has not run/, args.join(" "));
  }
  await world.expect(["refresh"]);
  const recorded = () => {
    using database = new DatabaseSync(`${world.root}/var/lib/peipkg/db.sqlite`, { readOnly: true });
    return database.prepare("SELECT name FROM repository").all().map(({ name }) => name);
  };
  await world.expect(["clean"]);
  assert.deepEqual(recorded(), ["main"]);
  await Deno.remove(file);
  await world.expect(["clean", "--dry-run"]);
  assert.deepEqual(recorded(), ["main"]);
  await world.expect(["clean"]);
  assert.deepEqual(recorded(), []);
});

Deno.test("C-EXPORT-01, C-EXPORT-02: a list brings another root to the same packages", async () => {
  await using world = await begin();
  await world.publish([TOOL, MAIL]);
  await world.publish([TOOL2]);
  const add = ["repo", "add", "main", `file://${world.repository()}`, "--anchor", world.anchor, "-y"];
  await world.expect(add);
  await world.expect(["install", "tool=1.0-1", "mail", "--yes"]);
  await world.expect(["mark", "auto", "mail"]);
  const list = `${world.directory}/list`;
  await Deno.writeTextFile(list, (await world.expect(["export", "--versions"])).stdout);
  assert.equal(
    await Deno.readTextFile(list),
    "# peipkg export 1\nmail = 1.0-1 auto\ntool = 1.0-1\n",
  );
  const other = `${world.directory}/other`;
  await Deno.mkdir(other);
  const there = (args: readonly string[]) => runInProcess(["--root", other, ...args], { cwd: world.directory });
  await there(add);
  assert.equal((await there(["import", "--exact", list, "--yes"])).status, 0);
  assert.equal(await Deno.readTextFile(`${other}/usr/share/tool/t`), "1\n");
  assert.match((await there(["mark", "list"])).stdout, /^mail {2}auto$/m); // the recorded mark
  await Deno.writeTextFile(list, "# peipkg export 1\ntool\n");
  assert.equal((await there(["import", "--prune", list, "--yes"])).status, 0);
  assert.doesNotMatch((await there(["list"])).stdout, /mail/);
  await Deno.writeTextFile(list, "# peipkg export 1\nabsent\ntool\nmissing\n");
  const missing = await there(["import", list, "--yes"]);
  assert.equal(missing.status, 1);
  for (const name of ["absent", "missing"]) assert.match(missing.stderr, new RegExp(name)); // all are reported
});
