/**
 * Runs every kind of check and prints one closing line, `N passed, N failed`. Stages run one after the other; a
 * failing stage does not stop the next. `--quick` leaves out the stages that start processes or take long.
 *
 * `deno task ok` = format, lint, types and the quick tests; `deno task test` = everything.
 */
interface Stage {
  readonly name: string;
  readonly args: readonly string[];
  /** Left out of the quick run. */
  readonly long: boolean;
}

const STAGES: readonly Stage[] = [
  { name: "format", args: ["fmt", "--check", "--quiet"], long: false },
  { name: "lint", args: ["lint", "--quiet"], long: false },
  { name: "types", args: ["check", "--quiet", "."], long: false },
  {
    name: "unit, conformance and property tests",
    args: [
      "test",
      "-A",
      "--no-check",
      "--parallel",
      "--quiet",
      "--ignore=tests/e2e,tests/executable,tests/faults",
      "tests",
    ],
    long: false,
  },
  { name: "faults", args: ["test", "-A", "--no-check", "--parallel", "--quiet", "tests/faults"], long: true },
  { name: "end to end", args: ["test", "-A", "--no-check", "--parallel", "--quiet", "tests/e2e"], long: true },
  { name: "executable", args: ["run", "-A", "tests/executable/main.ts", "--brief"], long: true },
];

const quick = Deno.args.includes("--quick");
let passed = 0;
let failed = 0;

async function runStage(stage: Stage): Promise<void> {
  console.log(`== ${stage.name}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: [...stage.args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-4096);
  }
  const { success } = await child.status;
  const counts = /(\d+) passed(?: \([^)]*\))? \| (\d+) failed/.exec(tail);
  if (counts === null) {
    if (success) passed += 1;
    else failed += 1;
    return;
  }
  passed += Number(counts[1]);
  failed += Number(counts[2]);
  // A file that does not load, or a leak outside any test, fails the run without a failed test.
  if (!success && Number(counts[2]) === 0) failed += 1;
}

for (const stage of STAGES) if (!quick || !stage.long) await runStage(stage);
console.log(`${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 && passed > 0 ? 0 : 1);
