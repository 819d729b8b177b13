/** `peipkg why` */
import { explainInstalled, type WhyAnswer } from "../../mod.ts";
import { hasFlag } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { readPackageName } from "../operands.ts";

type Chain = WhyAnswer["chains"][number];

/** `nginx (manual) -> zlib`; links over an optional dependency or a capability are marked. */
function chainText(chain: Chain): string {
  return chain.map(({ name, optional, capability }, index) => {
    const tails = [
      ...(index === 0 ? ["(manual)"] : []),
      ...(optional ? ["(optional)"] : []),
      ...(capability === undefined ? [] : [`(capability ${capability})`]),
    ];
    return [name, ...tails].join(" ");
  }).join(" -> ");
}

/** The answer of C-WHY-01, escaped. */
function whyLines({ name, version, isAutomatic, chains }: WhyAnswer): readonly string[] {
  const head = `${name} ${version} was installed`;
  if (!isAutomatic) return [escapeText(`${head} because it was asked for`)];
  const tail = chains.length === 0 ? " and nothing needs it" : "";
  return [escapeText(`${head} automatically${tail}`), ...chains.map((chain) => `  ${escapeText(chainText(chain))}`)];
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const [word = ""] = args.operands;
  const name = readPackageName(args, word);
  const answer = explainInstalled(await workspace(), name, hasFlag(args.options, "all"));
  screen.document({
    name: answer.name,
    version: answer.version,
    automatic: answer.isAutomatic,
    chains: answer.chains.map((chain) => chain.map((link) => link.name)),
  });
  screen.lines(whyLines(answer));
  return 0;
}
