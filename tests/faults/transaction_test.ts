import { BUDGET, Laboratory, spread } from "./laboratory.ts";
import { SCENARIOS } from "./scenarios.ts";

const ERRNOS = ["ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "EXDEV", "EDQUOT", "ENAMETOOLONG"] as const;

for (const scenario of SCENARIOS) {
  Deno.test(`T-MODEL-02, T-ROLL-04, T-RECOV-04: ${scenario.name}, killed at every call`, async () => {
    using laboratory = await Laboratory.open(scenario);
    for (const n of spread(laboratory.calls, 120 * BUDGET)) await laboratory.crash(n);
  });

  Deno.test(`T-RECOV-04: ${scenario.name}, killed, and recovery killed`, async () => {
    using laboratory = await Laboratory.open(scenario);
    for (const n of spread(laboratory.calls, 8 * BUDGET)) {
      for (let m = 1; await laboratory.crashTwice(n, m);) m += Math.max(1, Math.round(17 / BUDGET));
    }
  });

  Deno.test(`T-MODEL-02, T-COMMIT-40: ${scenario.name}, power cut`, async () => {
    using laboratory = await Laboratory.open(scenario);
    for (const n of spread(laboratory.calls, 60 * BUDGET)) {
      for (let seed = 0; seed < 2 * Math.min(BUDGET, 4); seed++) await laboratory.powerCut(n, seed);
    }
  });

  Deno.test(`T-COMMIT-43, T-COMMIT-44, T-ROLL-07: ${scenario.name}, the database fails`, async () => {
    using laboratory = await Laboratory.open(scenario);
    for (const kind of ["certain", "unknown", "unknown-committed"] as const) {
      for (let n = 1; await laboratory.refuseDatabase(n, kind);) n++;
    }
  });

  Deno.test(`T-FAIL-01, T-MODEL-04: ${scenario.name}, a call refused`, async () => {
    using laboratory = await Laboratory.open(scenario);
    const calls = spread(laboratory.calls, 80 * BUDGET);
    for (const [index, n] of calls.entries()) {
      const errnos = BUDGET > 4 ? ERRNOS : [ERRNOS[index % ERRNOS.length] ?? "EIO"];
      for (const errno of errnos) await laboratory.refuse(n, errno);
    }
  });
}
