/** The tour of the README, typed as it stands there: every command works and prints what the README shows. */
import assert from "node:assert/strict";
import { baseEnvironment, commandLine, type Program } from "../support/cli.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const PLACE = "/srv/tour";
const TIME_REGEXP = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z/g;

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

async function makePrograms(directory: string): Promise<void> {
  await Deno.mkdir(directory);
  for (const program of ["peipkg", "peipkg-build", "peipkg-repo"] satisfies Program[]) {
    const line = commandLine(program).map(quoted).join(" ");
    await Deno.writeTextFile(`${directory}/${program}`, `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 });
  }
}

/** What differs from run to run. */
function plain(output: string, work: string): string {
  return output.replaceAll(work, PLACE)
    .replaceAll(TIME_REGEXP, "<time>")
    .replaceAll(/\b(?:[0-9a-f]{4} ){15}[0-9a-f]{4}\b/g, "<grouped>")
    .replaceAll(/\b[0-9a-f]{64}\b/g, "<fingerprint>")
    .replaceAll(/\b\d+ B\b/g, "<size>")
    .trimEnd();
}

Deno.test("the README's tour is true", async (t) => {
  const work = await Deno.realPath(await Deno.makeTempDir({ prefix: "peipkg-tour-" }));
  const sheet = await Deno.readTextFile(`${HOME}/README.md`);
  const [, section = ""] = /## Five minutes with it\n([^]*?)\n## /.exec(sheet) ?? [];
  const now = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
  let anchor: string | undefined;
  try {
    await makePrograms(`${work}/.bin`);
    const type = async (line: string): Promise<string> => {
      const own = line.replaceAll(PLACE, work).replaceAll(/\b[0-9a-f]{64}\b/g, () => anchor ?? "");
      const { stdout } = await new Deno.Command("/bin/sh", {
        args: ["-c", `exec 2>&1\n${line.startsWith("mkdir") ? line : own.replaceAll(TIME_REGEXP, now)}`],
        cwd: work,
        clearEnv: true,
        env: { ...baseEnvironment(), PATH: `${work}/.bin:/usr/bin:/bin` },
        stdin: "null",
      }).output();
      const output = new TextDecoder().decode(stdout);
      anchor ??= /\b[0-9a-f]{64}\b/.exec(output)?.[0];
      return output;
    };
    for (const [, language, block = ""] of section.matchAll(/```(\w*)\n([^]*?)```/g)) {
      if (language === "sh") {
        assert.equal(await type(block), "");
        continue;
      }
      for (const entry of block.split(/^\$ /m).filter((text) => text !== "")) {
        const end = entry.indexOf("\n");
        const line = entry.slice(0, end);
        await t.step(line, async () => {
          assert.equal(plain(await type(line), work), plain(entry.slice(end + 1), work));
        });
      }
    }
    assert.ok(anchor !== undefined);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
