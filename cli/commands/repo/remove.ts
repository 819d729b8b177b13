/** `peipkg repo remove` */
import { removeRepository } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [name = ""] = args.operands;
  const wasThere = await removeRepository(await workspace(), name);
  const summary = wasThere ? `removed repository "${name}"` : `repository "${name}" is not configured`;
  screen.info(escapeText(summary));
  screen.end("done", { summary, dry_run: false });
  return 0;
}
