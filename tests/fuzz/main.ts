/**
 * Structure-aware mutation fuzzing with a seed and a budget:
 * `deno run -A tests/fuzz/main.ts [--seed N] [--executions N] [--parser NAME]...`. Executions are per parser. A failure
 * prints what repeats it and ends the run with status 1.
 */
import { parseArgs } from "node:util";
import { PeipkgError } from "../../core/errors.ts";
import { mutateBytes } from "./mutate.ts";
import { TARGETS } from "./registry.ts";
import { type FuzzTarget, Random } from "./target.ts";

/** An input of this size answered later than this counts as a hang. */
const SLOW_MILLISECONDS = 2000;
/** Accepted inputs kept to mutate further. */
const MAX_CORPUS = 200;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    executions: { type: "string", default: "2000" },
    parser: { type: "string", multiple: true, default: [] },
  },
});
const seed = Number(values.seed);
const executions = Number(values.executions);
const wanted = new Set(values.parser);
const targets = TARGETS.filter((target) => wanted.size === 0 || wanted.has(target.name));
const areKnown = targets.length === (wanted.size || TARGETS.length);
if (!Number.isInteger(seed) || !Number.isInteger(executions) || executions < 1 || !areKnown) {
  console.error(
    `usage: main.ts [--seed N] [--executions N] [--parser ${TARGETS.map((target) => target.name).join("|")}]...`,
  );
  Deno.exit(2);
}

let failures = 0;
for (const target of targets) failures += await fuzz(target);
console.log(failures === 0 ? "no failures" : `${failures} failures`);
Deno.exit(failures === 0 ? 0 : 1);

async function fuzz(target: FuzzTarget): Promise<number> {
  const random = new Random(seed);
  const corpus = [...await target.seeds()];
  let accepted = 0;
  const started = performance.now();
  for (let execution = 0; execution < executions; execution++) {
    const input = execution < corpus.length ? corpus[execution] ?? new Uint8Array() : next(target, corpus, random);
    const fault = await runOnce(target, input);
    if (fault === undefined) {
      accepted++;
      if (corpus.length < MAX_CORPUS && random.below(4) === 0) corpus.push(input);
    } else if (fault !== "refused") {
      console.error(`${target.name}: seed ${seed}, execution ${execution}: ${fault}`);
      console.error(`input (base64): ${input.toBase64()}`);
      return 1;
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${target.name}: ${executions} executions, ${accepted} accepted, ${seconds} s`);
  return 0;
}

function next(target: FuzzTarget, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const input = random.pick(corpus);
  if (target.mutate !== undefined && random.below(4) > 0) return target.mutate(input, random);
  return mutateBytes(input, random, target.words ?? []);
}

/** `undefined`: accepted; `refused`; or what is wrong. A busy machine is no hang: what comes late is asked again. */
async function runOnce(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  let fastest = Infinity;
  for (let attempt = 0; attempt < 3; attempt++) {
    const started = performance.now();
    const outcome = await outcomeOf(target, input);
    fastest = Math.min(fastest, performance.now() - started);
    if (fastest <= SLOW_MILLISECONDS) return outcome;
  }
  return `took ${fastest.toFixed(0)} ms`;
}

async function outcomeOf(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  try {
    await target.run(input);
    return undefined;
  } catch (cause) {
    return cause instanceof PeipkgError ? "refused" : `escaped: ${cause instanceof Error ? cause.stack : cause}`;
  }
}
