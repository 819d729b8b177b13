/**
 * One run of a program: arguments to command, command to exit status. Whatever happens, exactly one last word is said
 * (C-JSON-10) and one status chosen.
 */
import type { ProgressEvent, Session, Workspace } from "../mod.ts";
import { hasFlag, parseArguments, type ParsedArguments, UsageError } from "./arguments.ts";
import { BUILD_INFO } from "./build_info.ts";
import { asksQuestion, JSON_SCHEMA, outputKind, type Program } from "./command.ts";
import { renderJson } from "./escape.ts";
import { type EndingSignal, exitStatus, SIGNAL_NUMBERS, STATUS_CLOSED_OUTPUT } from "./exit.ts";
import type { Invocation, World } from "./invocation.ts";
import { type ProgressDisplay, Screen, type ScreenMode } from "./screen.ts";
import { ClosedStreamError, type OutputStream, type Terminal } from "./terminal.ts";

/** Version of the package format (C-GLOB-12). */
const PACKAGE_FORMAT = 1;

/**
 * Runs a program.
 *
 * @param argv Arguments after the program's name.
 * @returns The exit status.
 */
export async function runProgram(program: Program, argv: readonly string[], world: World): Promise<number> {
  try {
    const args = parseArguments(program, argv);
    if (args.kind === "help") return await showHelp(program, args.path, world.terminal);
    if (args.kind === "version") return await showVersion(program, args, world.terminal);
    return await runCommand(program, args, world);
  } catch (error) {
    if (error instanceof ClosedStreamError) return STATUS_CLOSED_OUTPUT;
    if (error instanceof UsageError) return await reportUsage(program, argv, error, world);
    throw error;
  }
}

async function showHelp(program: Program, path: readonly string[], terminal: Terminal): Promise<number> {
  const { helpText } = await import("./help.ts");
  terminal.write("stdout", helpText(program, path));
  return 0;
}

/** C-GLOB-12; loads nothing of the library. */
async function showVersion(program: Program, args: ParsedArguments, terminal: Terminal): Promise<number> {
  const { version, commit } = BUILD_INFO;
  if (args.globals.json) {
    const document = { name: program.name, version, format: PACKAGE_FORMAT, json_schema: JSON_SCHEMA };
    terminal.write("stdout", `${renderJson(document, 2)}\n`);
    return 0;
  }
  const lines = [`${program.name} ${version}`];
  if (args.globals.verbose > 0) {
    const { default: process } = await import("node:process");
    lines.push(
      `runtime: deno ${Deno.version.deno}`,
      `database library: sqlite ${process.versions["sqlite"] ?? "unknown"}`,
    );
    lines.push(`package format: ${PACKAGE_FORMAT}`);
    if (commit !== undefined) lines.push(`commit: ${commit}`);
  }
  terminal.write("stdout", `${lines.join("\n")}\n`);
  return 0;
}

/** C-COL-01 */
function coloured(stream: OutputStream, wanted: string, world: World): boolean {
  if (wanted !== "auto") return wanted === "always";
  const term = world.environment.get("TERM") ?? "";
  const noColour = world.environment.get("NO_COLOR") ?? "";
  return world.terminal.isTerminal(stream) && term !== "" && term !== "dumb" && noColour === "";
}

function screenMode(
  program: Program,
  args: Pick<ParsedArguments, "words" | "command" | "operands" | "options"> & Partial<Pick<ParsedArguments, "globals">>,
  settings: { readonly json: boolean; readonly quiet: boolean; readonly verbose: number; readonly color: string },
  world: World,
): ScreenMode {
  return {
    program: program.name,
    words: args.words,
    output: args.command === undefined ? "text" : outputKind(args.command, args),
    json: settings.json,
    driven: args.globals?.driven ?? false,
    quiet: settings.quiet,
    verbose: settings.verbose,
    colour: { stdout: coloured("stdout", settings.color, world), stderr: coloured("stderr", settings.color, world) },
  };
}

/** A usage error found before anything was read: text, or the error object when `--json` was typed (C-JSON-08). */
async function reportUsage(
  program: Program,
  argv: readonly string[],
  error: UsageError,
  world: World,
): Promise<number> {
  const { describeUsage, failureDocument, renderFailure } = await import("./render/diagnostic.ts");
  const failure = await describeUsage(error);
  const end = argv.indexOf("--");
  const typed = end < 0 ? argv : argv.slice(0, end);
  const isJson = typed.includes("--json") || typed.includes("--driven");
  const settings = { json: isJson, quiet: false, verbose: 0, color: "auto" };
  const mode = screenMode(
    program,
    { words: error.words, command: undefined, operands: [], options: {} },
    settings,
    world,
  );
  const screen = new Screen(world.terminal, mode, new AbortController().signal);
  if (settings.json) world.terminal.write("stderr", `${renderJson(failureDocument(error.words, failure), 0)}\n`);
  else {
    const lines = [...renderFailure(screen, failure)];
    const { path } = error.extra;
    if (path !== undefined) {
      const { helpText, usageLines } = await import("./help.ts");
      // C-GEN-06: without a command the whole usage text follows.
      if (path.length === 0 && error.message === "a command is required") lines.push(helpText(program, []).trimEnd());
      else lines.push(...usageLines(program, path));
    }
    world.terminal.write("stderr", `${lines.join("\n")}\n`);
  }
  return exitStatus(failure.code);
}

/** The state of one run that outlives its parts: what a signal finds. */
class Run {
  readonly abort = new AbortController();
  screen: Screen | undefined;
  session: Session | undefined;
  workspace: Workspace | undefined;
  /** Receives events once there is a screen; earlier ones wait. */
  listener: ((event: ProgressEvent) => void) | undefined;
  readonly early: ProgressEvent[] = [];
  interruptedAfterCommit = false;

  constructor(readonly program: Program, readonly args: ParsedArguments, readonly world: World) {}

  readonly emit = (event: ProgressEvent): void => {
    if (this.listener === undefined) this.early.push(event);
    else this.listener(event);
  };

  /** C-SIG-01 to C-SIG-05: the signal stops what can be stopped, and is noted where nothing can. */
  signalled(signal: EndingSignal, makeError: (signal: number) => Error): void {
    const { screen } = this;
    if (screen?.committed !== undefined) this.interruptedAfterCommit = true;
    else if (screen?.rollingBack === true) screen.notice("rolling back, please wait");
    if (this.abort.signal.aborted) return;
    screen?.breakPrompt();
    this.abort.abort(makeError(SIGNAL_NUMBERS[signal]));
  }

  async openSession(): Promise<Session> {
    if (this.session !== undefined) return this.session;
    const { PeipkgError } = await import("../mod.ts");
    const system = await this.world.system();
    const invocation = [...system.randomBytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.world.onSignal((signal) =>
      this.signalled(signal, (number) => new PeipkgError("interrupted", "interrupted", { signal: number }))
    );
    this.session = {
      system,
      emit: this.emit,
      signal: this.abort.signal,
      invocation,
      version: BUILD_INFO.version,
      builtAt: BUILD_INFO.builtAt,
      command: this.args.words,
      offline: this.args.globals.offline,
    };
    return this.session;
  }

  async openWorkspace(tolerant: boolean): Promise<Workspace> {
    if (this.workspace !== undefined) return this.workspace;
    const session = await this.openSession();
    const { openWorkspace } = await import("../mod.ts");
    const { workspaceInput } = await import("./settings.ts");
    this.workspace = openWorkspace(session, workspaceInput(this.args, this.world), tolerant);
    return this.workspace;
  }
}

async function runCommand(program: Program, args: ParsedArguments, world: World): Promise<number> {
  const run = new Run(program, args, world);
  try {
    return await carryOut(run);
  } catch (error) {
    return await reportFailure(run, error);
  } finally {
    run.screen?.erase();
    run.workspace?.[Symbol.dispose]();
  }
}

async function carryOut(run: Run): Promise<number> {
  const { args, program, world } = run;
  const { command } = args;
  if (command?.load === undefined) throw new UsageError(args.words, "a command is required");
  // All that is certain to be needed at once: file by file, the runtime waits for each.
  const [module] = await Promise.all([command.load(), import("./settings.ts"), import("./listen.ts")]);
  const { needs } = command;
  // The settings decide how everything is said, so they come first.
  const tolerant = needs === "tolerant-installation";
  const workspace = tolerant || needs === "installation" ? await run.openWorkspace(tolerant) : undefined;
  const settings = {
    json: args.globals.driven || (workspace?.settings.json ?? args.globals.json),
    quiet: workspace?.settings.quiet ?? args.globals.quiet,
    verbose: workspace?.settings.verbose ?? args.globals.verbose,
    color: workspace?.settings.color ?? args.globals.color ?? "auto",
  };
  const mode = screenMode(program, args, settings, world);
  const display = workspace?.settings.progress === false || args.globals.noProgress
    ? undefined
    : await progressDisplay(mode, world);
  const screen = new Screen(world.terminal, mode, run.abort.signal, display);
  run.screen = screen;
  const { driven } = args.globals;
  if (driven && hasFlag(args.options, "yes")) {
    throw new UsageError(args.words, "--yes and --driven exclude each other"); // C-DRV-04
  }
  if (driven) screen.passPrompts(); // C-DRV-05: a driver that goes away stops nothing by it
  const assumeYes = !driven && (hasFlag(args.options, "yes") || (workspace?.settings.assumeYes ?? false));
  checkConfirmation(args, screen, assumeYes);
  if (needs !== "nothing") await listen(run, screen);
  if (screen.isEvents) beginEvents(run, screen, workspace);
  for (const warning of workspace?.resolved.warnings ?? []) run.emit({ kind: "warning", warning });
  if (workspace !== undefined && mode.output !== "events") await workspace.warnOfPending();
  const invocation: Invocation = {
    program,
    args,
    globals: args.globals,
    screen,
    world,
    assumeYes,
    session: () => run.openSession(),
    workspace: () => run.openWorkspace(tolerant),
  };
  const started = world.monotonic();
  const status = await module.run(invocation);
  if (mode.verbose > 1 && screen.isHuman) await showTiming(screen, world.monotonic() - started);
  if (run.interruptedAfterCommit) await warnInterrupted(screen);
  if (screen.isOpen) screen.end("done", { summary: "done", dry_run: hasFlag(args.options, "dry-run") });
  return status;
}

/** The last of the diagnostic lines of `-vv` (C-GLOB-07). */
async function showTiming(screen: Screen, milliseconds: number): Promise<void> {
  const { timingText } = await import("./listen.ts");
  screen.narrate(timingText(screen.mode.words, milliseconds));
}

/** C-PROG-01 */
async function progressDisplay(mode: ScreenMode, world: World): Promise<ProgressDisplay | undefined> {
  const term = world.environment.get("TERM") ?? "";
  if (mode.json || mode.quiet || term === "dumb" || !world.terminal.isTerminal("stderr")) return undefined;
  const { createProgressDisplay } = await import("./render/progress.ts");
  return createProgressDisplay(world.terminal, world.monotonic);
}

/** C-JSON-06: a question nobody will answer is refused before anything is done. */
function checkConfirmation(args: ParsedArguments, screen: Screen, assumeYes: boolean): void {
  if (args.globals.driven || assumeYes || hasFlag(args.options, "dry-run")) return;
  if (args.command === undefined || !screen.isEvents) return;
  if (!asksQuestion(args.command, args)) return;
  const hasDryRun = args.command.options.some((option) => option.name === "dry-run");
  throw new UsageError(args.words, `--json needs --yes${hasDryRun ? " or --dry-run" : ""} here`, {
    code: "confirmation-required",
  });
}

async function listen(run: Run, screen: Screen): Promise<void> {
  const { WARNING_CODES } = await import("../mod.ts");
  const { listenFor } = await import("./listen.ts");
  run.listener = listenFor(screen, WARNING_CODES, run.world.monotonic);
}

function beginEvents(run: Run, screen: Screen, workspace: Workspace | undefined): void {
  // `undo` learns what it undoes while planning, and says so in its first event (C-UNDO-06).
  if (run.args.command?.name === "undo") screen.hold();
  else screen.begin(startFields(run.args, workspace));
  for (const event of run.early.splice(0)) run.emit(event);
}

/** Members of the `start` event (6.3). */
export function startFields(
  args: ParsedArguments,
  workspace: Workspace | undefined,
): Readonly<Record<string, unknown>> {
  return {
    schema: JSON_SCHEMA,
    version: BUILD_INFO.version,
    command: args.words,
    root: workspace?.layout.root ?? "/",
    dry_run: hasFlag(args.options, "dry-run"),
  };
}

async function warnInterrupted(screen: Screen): Promise<void> {
  const { WARNING_CODES } = await import("../mod.ts");
  screen.warn(
    "W_COMMITTED_INTERRUPTED",
    WARNING_CODES.W_COMMITTED_INTERRUPTED,
    "interrupted after the transaction had committed — the changes stand",
  );
}

/** Says what went wrong in the form the call asked for, and chooses the status. */
async function reportFailure(run: Run, error: unknown): Promise<number> {
  const { args, program, world } = run;
  if (error instanceof ClosedStreamError) return STATUS_CLOSED_OUTPUT;
  const { describeFailure, failureDocument, failureEvent, renderFailure, usageErrorOf } = await import(
    "./render/diagnostic.ts"
  );
  const usage = usageErrorOf(error);
  if (usage !== undefined && run.screen?.hasStarted !== true) {
    // Found by the command itself; words and usage lines are the same as for the parser's own.
    const argv = (run.screen?.mode.json ?? args.globals.json) ? ["--json"] : [];
    const shown = new UsageError(args.words, usage.message, { ...usage.extra, path: usage.extra.path ?? args.path });
    return await reportUsage(program, argv, shown, world);
  }
  const settings = { ...args.globals, color: args.globals.color ?? "auto" };
  const mode = run.screen?.mode ?? screenMode(program, args, settings, world);
  const screen = run.screen ?? new Screen(world.terminal, mode, run.abort.signal);
  const described = describeFailure(error);
  const rolledBack = described.rolledBack || (screen.transaction !== undefined && screen.committed === undefined);
  const transaction = described.transaction ?? screen.transaction;
  let failure = { ...described, rolledBack, transaction };
  if (failure.code === "interrupted") {
    const outcome = rolledBack ? "the transaction was rolled back" : "nothing was changed";
    failure = { ...failure, message: `interrupted; ${outcome}` };
  }
  screen.passPrompts();
  if (screen.isEvents) {
    screen.begin(startFields(args, run.workspace));
    screen.end("error", failureEvent(failure));
  } else if (mode.json) {
    world.terminal.write("stderr", `${renderJson(failureDocument(args.words, failure), 0)}\n`);
  } else if (failure.code !== "interrupted" || mode.output === "events") {
    // C-SIG-01: an interrupted read command has nothing to say.
    for (const line of renderFailure(screen, failure)) screen.aside(line);
  }
  return exitStatus(failure.code, failure.signal);
}
