import assert from "node:assert/strict";
import { BUDGET, Laboratory, spread } from "./laboratory.ts";
import { SCENARIOS } from "./scenarios.ts";

const ERRNOS = ["ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "EXDEV", "EDQUOT", "ENAMETOOLONG"] as const;
const FAILURES = ["certain", "unknown", "unknown-committed"] as const;

const count = { cuts: 0, errnos: 0 };

for (const scenario of SCENARIOS) {
  const experiment = (title: string, work: (laboratory: Laboratory) => Promise<void>): void => {
    Deno.test(title, async () => {
      using laboratory = await Laboratory.open(scenario);
      await work(laboratory);
      count.cuts += laboratory.cuts;
    });
  };

  experiment(`T-MODEL-02, T-ROLL-04, T-RECOV-04, FP-40: ${scenario.name}, killed at every call`, async (laboratory) => {
    for (const n of spread(laboratory.calls, 120 * BUDGET)) await laboratory.crash(n);
  });

  experiment(`T-RECOV-04, FP-67: ${scenario.name}, killed, and recovery killed`, async (laboratory) => {
    for (const n of spread(laboratory.calls, 8 * BUDGET)) {
      for (let m = 1; await laboratory.crashTwice(n, m);) m += Math.max(1, Math.round(17 / BUDGET));
    }
  });

  experiment(`T-MODEL-02, T-COMMIT-40: ${scenario.name}, power cut`, async (laboratory) => {
    for (const n of spread(laboratory.calls, 60 * BUDGET)) {
      for (let seed = 0; seed < 2 * Math.min(BUDGET, 4); seed++) await laboratory.powerCut(n, seed);
    }
  });

  experiment(`T-COMMIT-43, T-COMMIT-44, T-ROLL-07, FP-38: ${scenario.name}, the database fails`, async (laboratory) => {
    for (const kind of FAILURES) for (let n = 1; await laboratory.refuseDatabase(n, kind);) n++;
  });

  experiment(`T-FAIL-01, T-MODEL-04: ${scenario.name}, a call refused`, async (laboratory) => {
    for (const [index, n] of spread(laboratory.calls, 80 * BUDGET).entries()) {
      const errnos = BUDGET > 4 ? ERRNOS : [ERRNOS[index % ERRNOS.length] ?? "EIO"];
      for (const errno of errnos) {
        await laboratory.refuse(n, errno);
        count.errnos++;
      }
    }
  });
}

Deno.test("the laboratory tried as many cut points as its budget asks for", async (t) => {
  // A step, because its name is printed whatever the verbosity of the run.
  await t.step(`${count.cuts} cut points, ${count.errnos} of them calls refused with an errno`, () => {
    assert.ok(count.cuts >= Math.min(10_000, 2_000 * BUDGET));
  });
});
