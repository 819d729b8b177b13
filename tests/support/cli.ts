/**
 * Runs the real programs as processes: from source with exactly the permission list of the executable, or — when
 * `PEIPKG_PROGRAMS` names a directory — the built executables in it. Environments are empty except for what a test
 * gives, so that nothing of the machine shows through.
 */
import { fromFileUrl } from "./paths.ts";

export type Program = "peipkg" | "peipkg-build" | "peipkg-repo";

export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly program?: Program;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Given as standard input; absent: the null device. */
  readonly stdin?: string;
}

const ENTRY: Readonly<Record<Program, string>> = {
  "peipkg": "cli/main.ts",
  "peipkg-build": "cli/build_main.ts",
  "peipkg-repo": "cli/repo_main.ts",
};

const HOME = fromFileUrl(import.meta.url, 3);

/** Program path and leading arguments to start `program`. */
export function commandLine(program: Program): readonly [string, ...string[]] {
  const built = Deno.env.get("PEIPKG_PROGRAMS");
  if (built !== undefined && built !== "") return [`${built}/${program}`];
  return [
    Deno.execPath(),
    "run",
    "-q",
    "--no-check",
    "--no-prompt",
    `--config=${HOME}/deno.json`,
    "-P=peipkg",
    `${HOME}/${ENTRY[program]}`,
  ];
}

/** Environment a program needs to start at all, and nothing else. */
export function baseEnvironment(): Record<string, string> {
  const denoDir = Deno.env.get("DENO_DIR");
  const home = Deno.env.get("HOME");
  const runtime = Deno.env.get("PEIPKG_RUNTIME_DIR");
  return {
    ...(runtime === undefined ? {} : { PEIPKG_RUNTIME_DIR: runtime }),
    ...(denoDir === undefined ? {} : { DENO_DIR: denoDir }),
    ...(home === undefined ? {} : { HOME: home }),
  };
}

/** Starts a program; the caller waits for it, signals it, or kills it. */
export function spawn(args: readonly string[], options: CliOptions = {}): Deno.ChildProcess {
  const [command, ...leading] = commandLine(options.program ?? "peipkg");
  return new Deno.Command(command, {
    args: [...leading, ...args],
    clearEnv: true,
    env: { ...baseEnvironment(), ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a program to its end. */
export async function run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(args, options);
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    // A program that ends without reading its input closes the pipe first; that is its right.
    await writer.write(new TextEncoder().encode(options.stdin)).catch(() => {});
    await writer.close().catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { status: code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a program and throws, with both streams, when its status is not the expected one. */
export async function expectRun(args: readonly string[], status = 0, options: CliOptions = {}): Promise<CliResult> {
  return requireStatus(args, status, await run(args, options), options);
}

/** Hands a result on; throws when its status is not the expected one. */
export function requireStatus(
  args: readonly string[],
  status: number,
  result: CliResult,
  options: CliOptions = {},
): CliResult {
  if (result.status !== status) {
    throw new Error(
      `${options.program ?? "peipkg"} ${args.join(" ")}: status ${result.status}, expected ${status}\n` +
        `--- stdout\n${result.stdout}\n--- stderr\n${result.stderr}`,
    );
  }
  return result;
}
