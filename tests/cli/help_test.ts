import assert from "node:assert/strict";
import { parseArguments, UsageError } from "../../cli/arguments.ts";
import { allCommands, COMMAND_GROUPS, type OptionSpec, type Program } from "../../cli/command.ts";
import { completionPlace, type NameSource } from "../../cli/complete.ts";
import { COMPLETION_SHELLS, completionScript } from "../../cli/completion_scripts.ts";
import { ERROR_MEANINGS } from "../../cli/error_codes.ts";
import { helpText, optionSyntax, usageLines, wrapText } from "../../cli/help.ts";
import { errorList, manualPage, manualPages } from "../../cli/man.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import { PEIPKG } from "../../cli/table.ts";
import { REPOSITORY_KEYS, RULE_CODES, SETTINGS } from "../../mod.ts";

const NO_NAMES: NameSource = {
  installed: () => [],
  available: () => [],
  versions: () => [],
  repositories: () => [],
  roles: () => [],
  keys: () => [],
  paths: () => [],
};

/** Value an option accepts. */
function sampleValue({ value }: OptionSpec): string {
  return value?.choices?.[0] ?? (value?.kind === "number" ? String(value.min ?? 1) : "x=y");
}

/** Whether the parser knows an option of a command; other complaints come later than an unknown option. */
function isKnown(program: Program, path: readonly string[], option: OptionSpec): boolean {
  const word = option.value === undefined ? `--${option.name}` : `--${option.name}=${sampleValue(option)}`;
  try {
    parseArguments(program, [...path, word]);
    return true;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return !error.message.startsWith("unknown option");
  }
}

Deno.test("C-GEN-08: parser, help, completion and manual pages know the same options", () => {
  for (const program of PROGRAMS) {
    for (const { path, command } of allCommands(program)) {
      const help = helpText(program, path);
      const [top = ""] = path;
      const manual = manualPage(
        program.name === "peipkg" ? `${program.name}-${top}(8)` : `${program.name}(1)`,
      ) ?? "";
      const offered = completionPlace(program, [program.name, ...path, "--"], path.length + 1, false)
        .candidates(NO_NAMES).map(({ value }) => value);
      for (const option of command.options) {
        const where = `${program.name} ${path.join(" ")} --${option.name}`;
        assert.ok(help.includes(`  ${optionSyntax(option)}`), `help of ${where}`);
        assert.ok(manual.includes(`\\-\\-${option.name.replaceAll("-", "\\-")}`), `manual page of ${where}`);
        assert.ok(offered.includes(`--${option.name}`), `completion of ${where}`);
        if (command.load !== undefined) assert.ok(isKnown(program, path, option), `parser of ${where}`);
      }
      const expected = new Set([...command.options, ...program.globals].map(({ name }) => `--${name}`));
      assert.deepEqual(new Set(offered), expected, path.join(" "));
    }
  }
});

Deno.test("C-HELP-01: the program's help lists every command once, under its group", () => {
  for (const program of PROGRAMS) {
    const lines = helpText(program, []).split("\n");
    for (const command of program.commands) {
      const shown = lines.filter((line) => line.startsWith(`  ${command.name} `));
      assert.equal(shown.length, command.hidden === true ? 0 : 1, `${program.name} ${command.name}`);
    }
  }
  const headings = Object.values(COMMAND_GROUPS).map((heading) => helpText(PEIPKG, []).indexOf(`\n${heading}:\n`));
  assert.deepEqual(headings, [...headings].sort((a, b) => a - b));
  assert.ok(headings.every((at) => at > 0));
});

Deno.test("C-HELP-01: help is wrapped at 80 with the text from column 28", () => {
  for (const program of PROGRAMS) {
    for (const path of [[], ...allCommands(program).map((command) => command.path)]) {
      for (const line of helpText(program, path).trimEnd().split("\n")) {
        const isFixed = line.startsWith("usage: ") || /^ {2}\S/.test(line);
        assert.ok(isFixed || line.length <= 80, `${path.join(" ")}: ${line}`);
        assert.equal(line, line.trimEnd());
      }
    }
  }
  assert.deepEqual(wrapText("aa bb cc", 5), ["aa bb", "cc"]);
});

Deno.test("C-HELP-01: help of a command, whole", () => {
  assert.equal(
    helpText(PEIPKG, ["remove"]),
    `usage: peipkg remove [options] <package>...

Removes the named packages. A package others need is refused unless --cascade
takes them along.
peipkg remove is also known as uninstall

options:
  --dry-run                 show the plan and change nothing
  -y, --yes                 answer the routine question with yes
  --modified keep|remove|abort
                            what to do with edited configuration files
  --allow-critical          allow the removal of critical packages
  --cascade                 also remove every package that needs one of these
  --autoremove              also remove what becomes unused

exit status:
  0                         done, nothing to do, declined, or shown by --dry-run
  1                         it failed; stderr says why
  2                         the call was wrong; nothing was read or changed
  128+N                     ended by signal N before anything was committed

examples:
  peipkg remove nginx       remove nginx
  peipkg remove --cascade --dry-run libfoo
                            show what would go with libfoo

global options: peipkg --help
`,
  );
});

Deno.test("C-GEN-06: usage lines of a command with subcommands are those of each", () => {
  assert.deepEqual(usageLines(PEIPKG, ["mark"]), [
    "usage: peipkg mark manual <package>...",
    "usage: peipkg mark auto <package>...",
    "usage: peipkg mark list [manual|auto]",
  ]);
});

Deno.test("C-MAN-01: there is a page for every command, file format and program, with the sections in order", () => {
  const names = manualPages().map(({ name, section }) => `${name}(${section})`);
  for (const command of PEIPKG.commands) {
    assert.equal(names.includes(`peipkg-${command.name}(8)`), command.hidden !== true, command.name);
  }
  for (
    const name of [
      "peipkg(8)",
      "peipkg.toml(5)",
      "peipkg.repo(5)",
      "peipkg-json(7)",
      "peipkg-build(1)",
      "peipkg-repo(1)",
    ]
  ) {
    assert.ok(names.includes(name), name);
  }
  const order = [
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
    "SECURITY CONSIDERATIONS",
  ];
  const headings = [...(manualPage("peipkg-install(8)") ?? "").matchAll(/^\.Sh (.*)$/gm)].map((match) => match[1]);
  assert.deepEqual(headings, ["NAME", ...order]);
  assert.ok(!manualPage("peipkg-list(8)")?.includes("SECURITY CONSIDERATIONS"));
});

Deno.test("C-MAN-01: every configuration key, repository key and error code appears", () => {
  const plain = (name: string): string => (manualPage(name) ?? "").replaceAll("\\-", "-");
  for (const { key } of SETTINGS) assert.ok(plain("peipkg.toml").includes(`.It "${key}"`), key);
  for (const key of REPOSITORY_KEYS) assert.ok(plain("peipkg.repo").includes(`.It "${key}"`), key);
  for (const code of Object.keys(ERROR_MEANINGS)) assert.ok(plain("peipkg-json").includes(`.It "${code}"`), code);
  for (const rule of Object.keys(RULE_CODES)) assert.ok(errorList().includes(`  ${rule}\n`), rule);
});

Deno.test("C-COMP-01: the script of every shell asks the program itself", () => {
  for (const program of PROGRAMS) {
    for (const shell of COMPLETION_SHELLS) {
      const script = completionScript(program.name, shell);
      assert.ok(script.includes(`__complete ${shell} `), shell);
      assert.ok(script.includes(program.name));
    }
  }
});

Deno.test("C-COMP-03: names, values, subcommands and paths are offered where they fit", () => {
  const names: NameSource = {
    installed: () => [{ value: "nginx", description: "server" }, { value: "bad\u202e", description: "" }],
    available: (prefix) => [{ value: `${prefix}x`, description: "" }],
    versions: (name) => [{ value: `${name}-1.0-1`, description: "" }],
    repositories: () => [{ value: "official", description: "" }],
    roles: () => [{ value: "registryd", description: "" }],
    keys: () => [{ value: "auto_remove", description: "" }],
    paths: (prefix, suffix, directoriesOnly) => [
      { value: `${prefix}d/`, description: "" },
      ...(directoriesOnly ? [] : [{ value: `${prefix}f${suffix}`, description: "" }]),
    ],
  };
  const complete = (words: string, splits = false): readonly string[] => {
    const list = words.split(" ");
    return completionPlace(PEIPKG, list, list.length - 1, splits).candidates(names).map(({ value }) => value);
  };
  assert.deepEqual(complete("peipkg uni"), []);
  assert.deepEqual(complete("peipkg rem"), ["remove"]);
  assert.deepEqual(complete("peipkg remove "), ["nginx"]);
  assert.deepEqual(complete("peipkg install ng"), ["ngx", "ngd/", "ngf.peipkg"]);
  assert.deepEqual(complete("peipkg install --modified "), ["keep", "remove", "abort"]);
  assert.deepEqual(complete("peipkg install --modified=k"), ["--modified=keep"]);
  assert.deepEqual(complete("peipkg install --modified = k", true), ["keep"]);
  assert.deepEqual(complete("peipkg downgrade nginx "), ["nginx-1.0-1"]);
  assert.deepEqual(complete("peipkg refresh "), ["official"]);
  assert.deepEqual(complete("peipkg -o auto"), ["auto_remove="]);
  assert.deepEqual(complete("peipkg config auto"), ["auto_remove"]);
  assert.deepEqual(complete("peipkg install --claim reg"), ["registryd"]);
  assert.deepEqual(complete("peipkg --root /m"), ["/md/"]);
  assert.deepEqual(complete("peipkg mark li"), ["list"]);
  assert.deepEqual(complete("peipkg help mark l"), ["list"]);
  const place = completionPlace(PEIPKG, ["peipkg", "--root", "/mnt", "remove", ""], 4, false);
  assert.equal(place.globals.get("root"), "/mnt");
});

Deno.test("C-MAN-01: groff reads every page without a complaint", async (t) => {
  const pages = manualPages();
  const directory = await Deno.makeTempDir();
  try {
    const files = await Promise.all(pages.map(async ({ name, section }) => {
      const path = `${directory}/${name}.${section}`;
      await Deno.writeTextFile(path, manualPage(`${name}(${section})`) ?? "");
      return path;
    }));
    const command = new Deno.Command("groff", { args: ["-mdoc", "-Tutf8", "-ww", "-z", ...files], stdout: "null" });
    const { stderr } = await command.output().catch((error: unknown) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return { stderr: new Uint8Array(0) }; // not installed here
    });
    await t.step(`${pages.length} pages`, () => assert.equal(new TextDecoder().decode(stderr), ""));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
