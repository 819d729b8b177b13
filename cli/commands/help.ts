/** `peipkg help`: the texts of `--help`, manual pages and the list of error codes. */
import { hasFlag, optionText, UsageError } from "../arguments.ts";
import { findCommand } from "../command.ts";
import { helpText } from "../help.ts";
import type { Invocation } from "../invocation.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, program, screen } = invocation;
  if (hasFlag(args.options, "errors")) {
    const { errorList } = await import("../man.ts");
    screen.raw(errorList());
    return 0;
  }
  const page = optionText(args.options, "man");
  if (page !== undefined) {
    const { manualPage } = await import("../man.ts");
    const text = manualPage(page);
    if (text === undefined) throw new UsageError(args.words, `there is no manual page "${page}"`);
    screen.raw(text);
    return 0;
  }
  if (args.operands.length > 0 && findCommand(program, args.operands) === undefined) {
    throw new UsageError(args.words, `unknown command "${args.operands.join(" ")}"`);
  }
  screen.raw(helpText(program, args.operands));
  return 0;
}
