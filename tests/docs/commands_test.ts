/** Every command and option the documentation mentions exists, and is spelled as the command table has it. */
import assert from "node:assert/strict";
import { parseArguments, UsageError } from "../../cli/arguments.ts";
import { allCommands } from "../../cli/command.ts";
import { PROGRAMS } from "../../cli/programs.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const FENCE_REGEXP = /```(\w*)\n([^]*?)```/g;
const INLINE_REGEXP = /`((?:peipkg|peipkg-build|peipkg-repo|deno task) [^`]+)`/g;
const WORD_REGEXP = /"([^"]*)"|'([^']*)'|([^\s"']+)/g;
/** Options of the build, the test runners, and of the runtime. */
const OTHER_OPTIONS = [
  "--target",
  "--compiled",
  "--self-extracting",
  "--packages",
  "--out",
  "--sign-key",
  "--brief",
  "--as",
];

function documents(): readonly string[] {
  const guides = [...Deno.readDirSync(`${HOME}/docs`)].filter((entry) => entry.isFile).map(({ name }) =>
    `docs/${name}`
  );
  return ["README.md", ...guides.sort()];
}

/** Words of a command line up to where the shell would take over, or the explanation begins. */
function wordsOf(line: string): readonly string[] {
  const [command = ""] = line.replace(/^\s*\$ /, "").trim().split(/ {2,}| \| | > | < | # | && |; /);
  return [...command.matchAll(WORD_REGEXP)].map(([, double, single, plain]) => double ?? single ?? plain ?? "");
}

function commandLines(text: string): readonly (readonly string[])[] {
  const fenced = [...text.matchAll(FENCE_REGEXP)].filter(([, language]) => language === "" || language === "sh");
  const lines = fenced.flatMap(([, , block = ""]) => block.replaceAll("\\\n", " ").split("\n"));
  const prose = text.replaceAll(FENCE_REGEXP, "");
  const inline = [...prose.matchAll(INLINE_REGEXP)].map(([, line = ""]) => line.replaceAll("\n", " "));
  return [...lines, ...inline].map(wordsOf).filter((words) => words.length > 0);
}

function faultOf(words: readonly string[], tasks: ReadonlySet<string>): string | undefined {
  const start = words.findIndex((word) => word === "deno" || word.startsWith("deno@"));
  const isTask = start >= 0 && words[start + 1] === "task";
  const named = isTask ? words[start + 2] ?? "" : words[0] ?? "";
  const args = words.slice(isTask ? start + 3 : 1);
  const program = PROGRAMS.find(({ name }) => name === named);
  if (program === undefined) return isTask && !tasks.has(named) ? `there is no task ${named}` : undefined;
  // "…" stands for words left out: then what is there must be known, though it need not be enough.
  const isPart = args.at(-1) === "…";
  try {
    parseArguments(program, isPart ? args.slice(0, -1) : args);
    return undefined;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return isPart && !error.message.startsWith("unknown") ? undefined : error.message;
  }
}

Deno.test("C-GEN-08: every command line in the README and the guides is one the program understands", async (t) => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${HOME}/deno.json`));
  const known = new Set(Object.keys(tasks));
  for (const name of documents()) {
    await t.step(name, async () => {
      const lines = commandLines(await Deno.readTextFile(`${HOME}/${name}`));
      const faults = lines.flatMap((words) => {
        const fault = faultOf(words, known);
        return fault === undefined ? [] : [`${words.join(" ")}: ${fault}`];
      });
      assert.deepEqual(faults, []);
    });
  }
});

Deno.test("C-GEN-08: every option named in the README and the guides exists", async () => {
  const specs = PROGRAMS.flatMap((program) => [
    ...program.globals,
    ...allCommands(program).flatMap(({ command }) => command.options),
  ]);
  const known = new Set([...specs.map(({ name }) => `--${name}`), ...OTHER_OPTIONS]);
  for (const name of documents()) {
    const prose = (await Deno.readTextFile(`${HOME}/${name}`)).replaceAll(FENCE_REGEXP, "");
    const options = [...prose.matchAll(/`(--[a-z][a-z-]*)/g)].map(([, option = ""]) => option);
    assert.deepEqual(options.filter((option) => !known.has(option)), [], name);
  }
});

Deno.test("links between the documents lead somewhere", async () => {
  for (const name of documents()) {
    const text = await Deno.readTextFile(`${HOME}/${name}`);
    const directory = name.includes("/") ? `${HOME}/docs` : HOME;
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
      assert.ok(await Deno.stat(`${directory}/${target}`).then(() => true, () => false), `${name}: ${target}`);
    }
  }
});

Deno.test("every guide is linked from the README", async () => {
  const text = await Deno.readTextFile(`${HOME}/README.md`);
  for (const name of documents().slice(1)) assert.ok(text.includes(`](${name})`), name);
});
