/**
 * Builds the self-extracting executable and the product's packages, signed, into a temporary directory, and runs the
 * end-to-end tests against the built file: those of this directory, which need it, and those that otherwise run from
 * source. Nothing of the build stays.
 *
 * Usage: deno run -A tests/executable/main.ts [--brief]
 *
 * `--brief` is the part every full test run does. Where the runtime cannot be had, the reason is printed and nothing
 * is tested.
 */
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const ARCHITECTURE = Deno.build.arch;
const BRIEF = ["install_test.ts"];
/** These test builds of their own, or count on running from source. */
const UNFIT = ["build_test.ts", "self_extracting_test.ts"];

/** Where the executable unpacks for the ordinary user some tests become, who may not enter the directory above. */
const USER_RUNTIME = "/tmp/peipkg-runtime-65534";

const decoder = new TextDecoder();
const brief = Deno.args.includes("--brief");
const work = await Deno.makeTempDir({ prefix: "peipkg-executable-" });

async function run(args: readonly string[]): Promise<{ readonly success: boolean; readonly output: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd: HOME, env: { NO_COLOR: "1" } });
  const { success, stdout, stderr } = await command.output();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** @returns The reason why there is nothing to test. */
async function build(): Promise<string | undefined> {
  const key = `${work}/release`;
  const made = await run(["run", "-A", "-q", "--no-check", "cli/repo_main.ts", "keygen", "--out", key]);
  if (!made.success) throw new Error(`cannot make a key: ${made.output}`);
  const options = [...(brief ? ["--self-extracting"] : []), "--packages", "--sign-key", key, "--out", `${work}/dist`];
  const built = await run(["run", "-A", "-q", "--no-check", "build.ts", ...options]);
  if (built.success) {
    console.log(built.output.trimEnd());
    return undefined;
  }
  if (/cannot fetch \S+ with npm/.test(built.output)) return built.output.trim();
  throw new Error(built.output);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Directories of programs by form; the compiled file needs to be told which program it is. */
async function programDirectories(): Promise<readonly (readonly [form: string, directory: string])[]> {
  const found: (readonly [string, string])[] = [["self-extracting", `${work}/dist/bin-${ARCHITECTURE}`]];
  const compiled = `${work}/dist/peipkg-${ARCHITECTURE}-compiled`;
  if (!await exists(compiled)) return found;
  await Deno.mkdir(`${work}/compiled`);
  for (const name of ["peipkg", "peipkg-build", "peipkg-repo"]) {
    const path = `${work}/compiled/${name}`;
    await Deno.writeTextFile(path, `#!/bin/sh\nexec ${compiled} --as=${name} "$@"\n`);
    await Deno.chmod(path, 0o755);
  }
  return [...found, ["compiled", `${work}/compiled`]];
}

async function testForm(form: string, programs: string): Promise<boolean> {
  console.log(`-- ${form}`);
  const names = [...Deno.readDirSync(`${HOME}/tests/e2e`)].map((entry) => entry.name).sort();
  const files = names.filter((name) => name.endsWith("_test.ts") && (brief ? BRIEF : names).includes(name));
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "-A", "--no-check", "--quiet", "--parallel"],
      ...(form === "self-extracting" ? ["tests/executable"] : []),
      ...files.filter((name) => !UNFIT.includes(name)).map((name) => `tests/e2e/${name}`),
    ],
    cwd: HOME,
    env: {
      NO_COLOR: "1",
      PEIPKG_PROGRAMS: programs,
      PEIPKG_RELEASE: work,
      PEIPKG_RUNTIME_DIR: `${work}/runtime`,
      PEIPKG_TEST_KILLS: Deno.env.get("PEIPKG_TEST_KILLS") ?? "20",
      ...(brief ? { PEIPKG_TEST_BRIEF: "1" } : {}),
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return success;
}

const hadUserRuntime = await exists(USER_RUNTIME);
try {
  const reason = await build();
  if (reason === undefined) {
    await Deno.chmod(work, 0o755);
    let good = true;
    for (const [form, programs] of await programDirectories()) good = await testForm(form, programs) && good;
    Deno.exitCode = good ? 0 : 1;
  } else console.log(`skipped: the executable was not tested: ${reason}`);
} finally {
  await Deno.remove(work, { recursive: true });
  if (!hadUserRuntime && await exists(USER_RUNTIME)) await Deno.remove(USER_RUNTIME, { recursive: true });
}
