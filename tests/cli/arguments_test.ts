import assert from "node:assert/strict";
import { parseArguments, UsageError } from "../../cli/arguments.ts";
import { describeUsage } from "../../cli/render/diagnostic.ts";
import { PEIPKG } from "../../cli/table.ts";

const GLOBALS = {
  settings: [],
  json: false,
  quiet: false,
  verbose: 0,
  noProgress: false,
  offline: false,
  driven: false,
};

/** The parts of a parse that a test is about. */
function parse(...argv: string[]) {
  const { kind, path, words, globals, options, operands } = parseArguments(PEIPKG, argv);
  return { kind, path, words, globals, options, operands };
}

function fault(...argv: string[]): UsageError {
  try {
    parseArguments(PEIPKG, argv);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `accepted: ${argv.join(" ")}` });
}

Deno.test("C-GEN-01: parseArguments() takes global options, command, options and operands", () => {
  assert.deepEqual(parse("--root", "/mnt", "install", "--dry-run", "nginx"), {
    kind: "command",
    path: ["install"],
    words: "install",
    globals: { ...GLOBALS, root: "/mnt" },
    options: { "dry-run": true },
    operands: ["nginx"],
  });
});

Deno.test("C-GEN-02: options and operands mix in any order and -- ends the options", () => {
  assert.deepEqual(parse("install", "nginx", "--yes"), parse("install", "--yes", "nginx"));
  assert.deepEqual(parse("install", "nginx", "--root=/mnt").globals, parse("--root=/mnt", "install", "nginx").globals);
  assert.deepEqual(parse("owns", "--", "--yes").operands, ["--yes"]);
  assert.equal(fault("--yes", "install", "nginx").message, 'unknown option "--yes"');
});

Deno.test("C-GEN-03: long and short options take values attached or following, short flags bundle", async () => {
  for (const argv of [["-n", "5"], ["-n5"], ["--count", "5"], ["--count=5"]]) {
    assert.deepEqual(parse("history", ...argv).options, { count: 5 });
  }
  const bundled = parse("install", "-qy", "nginx");
  assert.deepEqual([bundled.globals.quiet, bundled.options], [true, { yes: true }]);
  assert.deepEqual(parse("list", "-qo", "color=never").globals.settings, [["color", "never"]]);
  const single = fault("install", "-yes", "nginx");
  assert.deepEqual([single.message, (await describeUsage(single)).suggestion], ['unknown option "-yes"', "--yes"]);
  assert.equal(fault("install", "--dry", "nginx").message, 'unknown option "--dry"');
  assert.equal(fault("instal", "nginx").message, 'unknown command "instal"');
  assert.equal(fault("install", "--yes=1", "nginx").message, "option --yes takes no value");
  assert.equal(fault("history", "-n").message, "option -n needs a value");
  assert.equal(fault("list", "--root").message, "option --root needs a value");
});

Deno.test("C-GEN-04: a repeatable option accumulates, any other takes the last value, exclusions name both", () => {
  assert.deepEqual(parse("-o", "a=1", "list", "--option=b=2=3").globals.settings, [["a", "1"], ["b", "2=3"]]);
  assert.deepEqual(parse("history", "-n5", "-n", "7").options, { count: 7 });
  assert.deepEqual(parse("install", "--claim", "a,b", "--claim", "c", "x").options, { claim: ["a,b", "c"] });
  assert.equal(fault("list", "-q", "-v").message, "--quiet and --verbose exclude each other");
  assert.equal(fault("list", "--manual", "--auto").message, "--manual and --auto exclude each other");
});

Deno.test("C-FLAG-06: --claim-all excludes --claim and --no-claim with the rule of the code table", () => {
  for (const other of ["--no-claim", "--claim=x"]) {
    const { message, extra } = fault("install", "--claim-all", other, "nginx");
    assert.match(message, /^--claim-all and --(no-)?claim exclude each other$/);
    assert.equal(extra.rule, "CLAIM_FLAGS_CONFLICT");
  }
});

Deno.test("C-GEN-05: numbers are plain decimal", () => {
  for (const text of ["-1", "+1", "1.0", "0x1", "1e3", " 1", "", "1_0", "９", "99999999999999999"]) {
    assert.equal(
      fault("history", `--count=${text}`).message,
      `option --count needs a plain decimal number, not "${text}"`,
    );
  }
  assert.deepEqual(parse("history", "--count=007").options, { count: 7 });
});

Deno.test("C-GEN-06: a missing command or subcommand and a wrong number of operands say what is required", () => {
  assert.equal(fault().message, "a command is required");
  assert.equal(fault("--json").message, "a command is required");
  const mark = fault("mark");
  assert.deepEqual([mark.words, mark.message], ["mark", "a subcommand is required (manual, auto, list)"]);
  assert.equal(fault("search").message, "exactly one search term is required");
  assert.equal(fault("search", "a", "b").message, "exactly one search term is required");
  assert.equal(fault("undo", "48").message, 'unexpected operand "48"');
  assert.equal(fault("downgrade", "nginx").message, "exactly one package name and one version are required");
});

Deno.test("C-GEN-07: near words and words of other systems are suggested, for commands, subcommands and options", async () => {
  const cases: readonly (readonly [readonly string[], string | undefined])[] = [
    [["instal"], "install"],
    [["uprgade"], "upgrade"],
    [["frobnicate"], undefined],
    [["add"], "install"],
    [["erase"], "remove"],
    [["update"], "refresh"],
    [["log"], "history"],
    [["which"], "owns"],
    [["pin"], "lock"],
    [["set"], "mark"],
    [["create"], "peipkg-build"],
    [["dist-upgrade"], "upgrade"],
    [["outdated"], "upgrade --dry-run"],
    [["mark", "atuo"], "auto"],
    [["install", "--dry-rum", "x"], "--dry-run"],
    [["install", "--sd-overrides", "aply", "x"], "apply"],
  ];
  for (const [argv, expected] of cases) {
    assert.equal((await describeUsage(fault(...argv))).suggestion, expected, argv.join(" "));
  }
  assert.equal((await describeUsage(fault("-vv"))).suggestion, "config");
});

Deno.test("C-GEN-11: repeated operands are one, the first position counts", () => {
  assert.deepEqual(parse("install", "b", "a", "b", "a").operands, ["b", "a"]);
  assert.deepEqual(parse("annotate", "set", "nginx", "nginx", "nginx").operands, ["nginx", "nginx", "nginx"]);
});

Deno.test("C-GLOB-11: help is for the command it follows and checks nothing else", () => {
  assert.deepEqual(parse("--help", "install").path, []);
  assert.deepEqual(parse("install", "-h").path, ["install"]);
  assert.deepEqual(parse("mark", "auto", "--help").path, ["mark", "auto"]);
  assert.equal(parse("install", "-h").kind, "help");
  assert.equal(parse("install", "--version").kind, "version");
});

Deno.test("C-ERR-05: an alias keeps its own name", () => {
  const parsed = parse("uninstall", "nginx");
  assert.deepEqual([parsed.words, parsed.path], ["uninstall", ["remove"]]);
  assert.equal(parse("annotate", "get", "a1", "t").words, "annotate get");
});

Deno.test("C-OPT-01: each planning command takes exactly the options of the table", () => {
  const shared = [
    "dry-run",
    "yes",
    "allow-stale",
    "overwrite-unowned",
    "sd-overrides",
    "modified",
    "allow-critical",
    "cascade",
    "allow-downgrade",
  ];
  const expected: Readonly<Record<string, readonly string[]>> = {
    install: shared,
    remove: ["dry-run", "yes", "modified", "allow-critical", "cascade"],
    upgrade: shared,
    downgrade: ["dry-run", "yes", "allow-stale", "overwrite-unowned", "sd-overrides"],
    undo: ["dry-run", "yes", "overwrite-unowned", "sd-overrides", "modified", "allow-critical"],
  };
  for (const [name, options] of Object.entries(expected)) {
    const command = PEIPKG.commands.find((entry) => entry.name === name);
    const taken = command?.options.map((option) => option.name).filter((option) => shared.includes(option));
    assert.deepEqual(taken, options, name);
  }
});

Deno.test("style: what is parsed is frozen", () => {
  const parsed = parseArguments(PEIPKG, ["install", "-o", "a=b", "nginx"]);
  for (const part of [parsed, parsed.globals, parsed.globals.settings, parsed.options, parsed.operands, parsed.path]) {
    assert.ok(Object.isFrozen(part));
  }
});
