/**
 * Runs a real program at a pseudo-terminal (`script` of util-linux) and answers its questions one by one, each only
 * after it has been asked: elevated questions throw away what was typed before (C-AUTH-03).
 */
import { baseEnvironment, type CliOptions, commandLine } from "./cli.ts";

export interface TerminalResult {
  readonly status: number;
  /** Everything that appeared, line ends as `\n`. */
  readonly screen: string;
}

export interface TerminalOptions extends Pick<CliOptions, "program" | "cwd" | "env"> {
  /** Text a question ends with; an answer is typed each time it appears at the end of the screen. */
  readonly promptEnd?: RegExp;
  /** Ctrl-C is typed when this is settled, whatever is on the screen. */
  readonly interruptAfter?: Promise<unknown>;
  /** Size of the terminal, in columns. */
  readonly columns?: number;
}

const PROMPT_END = /\[(?:y\/N|r\/k\/A)\] $/;

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * @param answers Typed in order, each with a newline; `\x03` is sent as it is.
 */
export async function runAtTerminal(
  args: readonly string[],
  answers: readonly string[],
  options: TerminalOptions = {},
): Promise<TerminalResult> {
  const words = [...commandLine(options.program ?? "peipkg"), ...args].map(quote).join(" ");
  const command = options.columns === undefined ? words : `stty cols ${options.columns}; exec ${words}`;
  const child = new Deno.Command("script", {
    args: ["-q", "-e", "-c", command, "/dev/null"],
    clearEnv: true,
    env: { ...baseEnvironment(), PATH: "/usr/bin:/bin", SHELL: "/bin/sh", TERM: "dumb", NO_COLOR: "1", ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const decoder = new TextDecoder();
  void options.interruptAfter?.then(() => writer.write(new TextEncoder().encode("\x03")));
  const promptEnd = options.promptEnd ?? PROMPT_END;
  let screen = "";
  let answered = 0;
  for await (const chunk of child.stdout) {
    screen += decoder.decode(chunk, { stream: true }).replaceAll("\r\n", "\n");
    const answer = answers[answered];
    if (answer === undefined || !promptEnd.test(screen)) continue;
    answered++;
    await writer.write(new TextEncoder().encode(answer === "\x03" ? answer : `${answer}\n`));
  }
  await writer.close().catch(() => {});
  const { code } = await child.status;
  return { status: code, screen };
}
