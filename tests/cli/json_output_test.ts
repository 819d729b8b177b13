/** Every command's machine output, errors included, is as its schema says; nothing is printed that no schema names. */
import assert from "node:assert/strict";
import { allCommands } from "../../cli/command.ts";
import { schemaDocument, schemaNames } from "../../cli/json_documents.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import type { CliResult, Program } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";
import { APP1, CONSUMER, LIB1, LIB2, provider } from "./support/packages.ts";
import { runInProcess } from "../support/in_process.ts";
import { FOREIGN_DOCUMENTS, judgeJson, schemaName } from "../support/json_output.ts";
import { schemaFaults } from "../support/json_schema.ts";

const APP: PackageSpec = { ...APP1, dependencies: [{ name: "lib", constraint: ">= 1.0" }], optional: ["extras"] };
const APP2: PackageSpec = { ...APP, version: "2.0-1", files: { ...APP.files, "etc/app.conf": "level=2\n" } };
const EXTRAS: PackageSpec = { name: "extras", version: "1.0-1", files: { "usr/share/extras/x": "x\n" } };
/** Runs calls with `--json`, judges each, and remembers what was run. */
class Judge {
  readonly seen = new Set<string>();
  /** Gathered, so that one run shows everything that is wrong. */
  readonly faults: string[] = [];

  constructor(readonly world: World) {}

  async run(args: readonly string[], status = 0, options: { readonly env?: Record<string, string> } = {}) {
    return await this.#judge("peipkg", ["--json", "--root", this.world.root, ...args], status, options);
  }

  async tool(program: Program, args: readonly string[], status = 0): Promise<CliResult> {
    return await this.#judge(program, ["--json", ...args], status, {});
  }

  async #judge(program: Program, args: readonly string[], status: number, options: object): Promise<CliResult> {
    const result = await runInProcess(args, { program, cwd: this.world.directory, ...options });
    const { name, faults } = judgeJson(program, args, result);
    const call = args.filter((arg) => arg !== "--json" && arg !== "--root" && arg !== this.world.root).join(" ");
    this.faults.push(...faults.map((fault) => `${call}: ${fault}`));
    if (result.status !== status) this.faults.push(`${call}: ${result.status} ${result.stdout} ${result.stderr}`);
    if (name !== undefined) this.seen.add(name);
    return result;
  }
}

async function changes({ run }: { run: Judge["run"] }, world: World): Promise<void> {
  await run(["install", "app", "--dry-run"]);
  await run(["install", "app", "--yes", "-v"]);
  await run(["install", "app", "--yes"]);
  await run(["mark", "auto", "app"]);
  await run(["install", "app", "--yes"]);
  await run(["lock", "lib"]);
  await world.publish([APP2, LIB2]);
  await run(["refresh"]);
  await Deno.writeTextFile(`${world.root}/etc/app.conf`, "level=9\n");
  await run(["upgrade", "--yes"]);
  await run(["upgrade", "lib", "--yes"], 1);
  await run(["unlock", "lib"]);
  await run(["downgrade", "app", "1.0-1", "--yes"], 1);
  await run(["downgrade", "app", "1.0-1", "--dry-run"]);
  await run(["undo", "--yes"], 1);
  await run(["install", "consumer", "alpha", "beta", "--yes"]);
  await run(["claim", "registry", "grant", "beta", "--yes"]);
  await run(["claim", "registry", "revoke", "--yes"], 1);
  await run(["claim", "registry", "revoke", "--allow-critical", "--yes"]);
  await run(["claim", "--reconcile"]);
  await run(["claim", "nothing", "revoke", "--yes"], 1);
  await run(["remove", "lib", "--yes"], 1);
  await run(["autoremove", "--dry-run"]);
  await run(["recover"]);
  await run(["clean", "--packages", "--dry-run"]);
  await run(["clean", "--all"]);
}

async function readings({ run }: { run: Judge["run"] }, world: World): Promise<void> {
  const file = world.published(EXTRAS);
  for (
    const args of [
      ["list"],
      ["info", "app"],
      ["info", "app", "lib"],
      ["info", "extras", "--available"],
      ["info", file],
      ["files", "app"],
      ["owns", "/usr/bin/app"],
      ["search", "app"],
      ["search", "zzz"],
      ["why", "lib"],
      ["why-not", "lib"],
      ["why-not", "lib=9.9"],
      ["why-not", "extras"],
      ["stats"],
      ["stats", "--local"],
      ["verify", "lib"],
      ["check", "--deps"],
      ["query"],
      ["query", "--file", file],
      ["rquery"],
      ["export"],
      ["config"],
      ["config", "--check"],
      ["config", "--repositories"],
      ["config", "lock_wait"],
      ["history"],
      ["history", "1", "-v"],
      ["recover", "--report"],
      ["claim"],
      ["claim", "registry"],
      ["repo", "list"],
      ["repo", "keys", "main"],
      ["mark", "list"],
      ["lock", "--list"],
      ["annotate", "list"],
      ["diff"],
      ["diff", "/etc/app.conf"],
      ["shlib", "--missing"],
      ["sbom"],
    ]
  ) await run(args);
  for (
    const args of [
      ["info", "nothing"],
      ["info", "extras"],
      ["files", "nothing"],
      ["owns", "/nothing"],
      ["owns", "--available", "/nothing"],
      ["verify"],
      ["why", "nothing"],
      ["shlib", "libnone.so.1"],
      ["rquery", "%n", "nothing"],
      ["annotate", "get", "app", "none"],
      ["repo", "keys", "nothing"],
      ["history", "999"],
      ["info", "/nothing.peipkg"],
      ["audit"],
      ["self", "verify", "/nothing", "--key", `${world.directory}/key.pub`],
    ]
  ) await run(args, 1);
}

async function housekeeping({ run }: { run: Judge["run"] }, world: World): Promise<void> {
  const { directory } = world;
  await run(["annotate", "set", "app", "ticket", "OPS-417"]);
  await run(["annotate", "get", "app", "ticket"]);
  await run(["annotate", "delete", "app", "ticket"]);
  await run(["mark", "manual", "lib"]);
  await run(["diff", "--use-new", "/etc/app.conf", "--yes"]);
  await run(["backup", `${directory}/copy`]);
  await run(["backup", `${directory}/copy`], 1);
  await run(["restore", `${directory}/copy`, "--dry-run"]);
  await run(["restore", `${directory}/copy`, "--yes"]);
  await Deno.writeTextFile(`${directory}/list`, "# peipkg export 1\nextras\n");
  await run(["import", `${directory}/list`, "--yes"]);
  await Deno.writeTextFile(`${directory}/list`, "# peipkg export 1\nmissing\n");
  await run(["import", `${directory}/list`, "--yes"], 1);
  await run(["check", "--fix", "--dry-run", "--files"]);
  await run(["fetch", "extras", "--out", `${directory}/fetched`, "--yes"]);
  await run(
    ["bundle", "--out", `${directory}/bundle`, "--sign-key", `${directory}/key`, "extras", "--yes"],
    0,
    { env: { SOURCE_DATE_EPOCH: "1767323045" } },
  );
  await run(["repo", "disable", "main"]);
  await run(["repo", "enable", "main"]);
  await Deno.writeTextFile(`${world.root}/conf/peipkg/broken.repo`, "base_url = 7\n");
  await run(["repo", "list"]);
  await run(["install", "extras", "--yes"], 1);
  await Deno.remove(`${world.root}/conf/peipkg/broken.repo`);
  await run(["repo", "remove", "main"]);
  await run(["list", "--orphaned"]);
  await run(["remove", "app", "extras", "lib", "--cascade", "--yes"]);
}

async function refusals(judge: Judge): Promise<void> {
  const { run } = bound(judge);
  await run(["install", "app"], 2);
  await run(["install"], 2);
  await run(["nonsense"], 2);
  await run(["list", "--manual", "--auto"], 2);
  await run(["claim", "--reconcile", "registry"], 2);
  await run(["query", "-e", "%Z", "%n"], 2);
  await run(["-o", "lock_wait=soon", "list"], 1);
  await run(["--root", "/nonexistent-root", "list"], 1);
}

const bound = (judge: Judge) => ({ run: judge.run.bind(judge) });

async function producers(judge: Judge): Promise<void> {
  const { world } = judge;
  const { directory } = world;
  const file = world.published(EXTRAS);
  const sign = ["--sign-key", `${directory}/key`, "--timestamp", "2026-01-02T03:04:05Z"];
  await judge.tool("peipkg-build", ["inspect", file]);
  await judge.tool("peipkg-build", ["inspect", `${directory}/none.peipkg`], 1);
  await judge.tool("peipkg-build", ["verify", file]);
  await judge.tool("peipkg-build", ["verify", `${directory}/key`], 1);
  await judge.tool("peipkg-build", ["unpack", file, `${directory}/unpacked`]);
  await Deno.writeTextFile(`${directory}/m.json`, '{"schema_version":1,"name":"broken"}');
  await judge.tool(
    "peipkg-build",
    ["pack", "--manifest", `${directory}/m.json`, "--staged", directory, "--out", "x"],
    1,
  );
  await packed(judge);
  await judge.tool("peipkg-repo", ["keygen", "--out", `${directory}/second`]);
  await judge.tool("peipkg-repo", ["keygen", "--out", `${directory}/second`], 1);
  const repository = `${directory}/produced`;
  await judge.tool("peipkg-repo", ["init", repository, "--name", "produced", ...sign]);
  await judge.tool("peipkg-repo", ["add", repository, file]);
  await judge.tool("peipkg-repo", ["publish", repository, ...sign]);
  await judge.tool("peipkg-repo", ["publish", repository, ...sign]);
  await judge.tool("peipkg-repo", ["verify", repository, "--anchor", world.anchor]);
  const mirror = ["mirror", `file://${repository}`, `${directory}/mirror`, "--anchor", world.anchor];
  await judge.tool("peipkg-repo", mirror);
  await judge.tool("peipkg-repo", ["rotate-key", repository, ...sign, "--new-key", `${directory}/second`]);
  await Deno.remove(`${repository}/repo.json`);
  await judge.tool("peipkg-repo", ["verify", repository], 1);
}

async function packed(judge: Judge): Promise<void> {
  const { directory } = judge.world;
  const inspected = await judge.tool("peipkg-build", ["inspect", judge.world.published(EXTRAS)]);
  await Deno.writeTextFile(`${directory}/m.json`, JSON.stringify(JSON.parse(inspected.stdout).manifest));
  await Deno.mkdir(`${directory}/staged/usr/share/extras`, { recursive: true });
  await Deno.writeTextFile(`${directory}/staged/usr/share/extras/x`, "x\n");
  await judge.tool("peipkg-build", [
    "pack",
    "--manifest",
    `${directory}/m.json`,
    "--staged",
    `${directory}/staged`,
    "--out",
    `${directory}/made.peipkg`,
  ]);
}

Deno.test("C-JSON-01, C-JSON-02, C-JSON-03, C-JSON-05: every command's machine output is as its schema says", async () => {
  await using world = await World.create(runInProcess, "memory");
  const judge = new Judge(world);
  await world.publish([APP, LIB1, EXTRAS, CONSUMER, provider("alpha"), provider("beta")]);
  const { url } = world.serve();
  await judge.run(["repo", "list"]);
  await judge.run(["refresh"]);
  await judge.run(["undo", "--yes"], 1);
  const add = ["repo", "add", "main", url, "--anchor", world.anchor];
  await judge.run([...add, "--yes"], 1);
  await judge.run([...add, "--insecure", "--yes"]);
  await changes(bound(judge), world);
  await readings(bound(judge), world);
  await housekeeping(bound(judge), world);
  await refusals(judge);
  await producers(judge);
  assert.deepEqual(judge.faults, []);
  const all = PROGRAMS.flatMap((program) =>
    allCommands(program).filter(({ command }) => command.load !== undefined && command.output !== "text")
      .map(({ path }) => schemaName(program.name, path))
  );
  assert.deepEqual(all.filter((name) => !judge.seen.has(name)), [], "commands whose machine output nobody judged");
});

Deno.test("C-JSON-01: every command that prints a document has a schema, and none describes nothing", () => {
  const commands = new Map(
    PROGRAMS.flatMap((program) =>
      allCommands(program).map(({ path, command }) => [schemaName(program.name, path), command] as const)
    ),
  );
  for (const [name, { output, load }] of commands) {
    if (load === undefined || output === "text" || output === "events" || FOREIGN_DOCUMENTS.includes(name)) continue;
    assert.ok(schemaDocument(name), name);
  }
  const general = ["event", "error", "warning", "version"];
  assert.deepEqual(schemaNames().filter((name) => !commands.has(name) && !general.includes(name)), []);
});

Deno.test("peipkg schema prints a schema that stands for itself, and lists the names", async () => {
  const { stdout } = await runInProcess(["schema", "info"]);
  const schema = JSON.parse(stdout);
  assert.deepEqual([schema.$id, Object.keys(schema.$defs)], ["urn:peipkg:json:1:info", ["Available", "PackageDetail"]]);
  assert.equal((await runInProcess(["schema", "--list"])).stdout, `${schemaNames().join("\n")}\n`);
  assert.equal(
    (await runInProcess(["schema", "histroy"])).stderr,
    'peipkg: schema: there is no schema "histroy"\ndid you mean "history"?\n' +
      "usage: peipkg schema <name>\nusage: peipkg schema --list\n",
  );
});

Deno.test("C-GLOB-12: the version document is as its schema says", async () => {
  const document = schemaDocument("version");
  assert.ok(document);
  assert.deepEqual(schemaFaults(document, JSON.parse((await runInProcess(["--version", "--json"])).stdout)), []);
});

Deno.test("schemaFaults() finds what differs from a schema", () => {
  const document = schemaDocument("owns");
  const event = schemaDocument("event");
  assert.ok(document && event);
  assert.deepEqual(schemaFaults(document, ["a"]), []);
  assert.deepEqual(schemaFaults(document, [1]), ["$[0]: 1 is not string"]);
  assert.deepEqual(schemaFaults(document, {}), ["$: {} is not array"]);
  assert.deepEqual(schemaFaults(event, { event: "message", text: "x", more: 1 }), ["$: more is not described"]);
  assert.deepEqual(schemaFaults(event, { event: "committed" }), ["$: no transaction"]);
});
