/** Screens of a command that prints events, for tests of what is shown. */
import { Screen, type ScreenMode } from "../../../cli/screen.ts";
import type { Terminal } from "../../../cli/terminal.ts";
import { recordedTerminal } from "./recorded_terminal.ts";

export const MODE: ScreenMode = {
  program: "peipkg",
  words: "install",
  output: "events",
  json: false,
  quiet: false,
  verbose: 0,
  colour: { stdout: false, stderr: false },
};

export function screenOf(more: Partial<ScreenMode> = {}, terminal: Terminal = recordedTerminal()): Screen {
  return new Screen(terminal, { ...MODE, ...more }, new AbortController().signal);
}
