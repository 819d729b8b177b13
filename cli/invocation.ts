/** What a command is given when it runs. */
import type { Session, System, Workspace } from "../mod.ts";
import type { GlobalOptions, ParsedArguments } from "./arguments.ts";
import type { Program } from "./command.ts";
import type { EndingSignal } from "./exit.ts";
import type { Screen } from "./screen.ts";
import type { Terminal } from "./terminal.ts";

/** The process as the command line sees it; built by the main files, faked by tests. */
export interface World {
  readonly terminal: Terminal;
  readonly environment: ReadonlyMap<string, string>;
  workingDirectory(): string;
  /** Loads the library's real world. */
  system(): Promise<System>;
  /** Calls `listener` for each signal that asks the program to end. */
  onSignal(listener: (signal: EndingSignal) => void): void;
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number;
}

export interface Invocation {
  readonly program: Program;
  readonly args: ParsedArguments;
  readonly globals: GlobalOptions;
  readonly screen: Screen;
  readonly world: World;
  /** The routine question is answered already: `--yes` or `assume_yes` (C-PROMPT-10). */
  readonly assumeYes: boolean;
  /** What the library is given; loads it. */
  session(): Promise<Session>;
  /** The installation operated on, opened when first asked for. Closed by whoever runs the command. */
  workspace(): Promise<Workspace>;
}
