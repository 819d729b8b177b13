import { strict as assert } from "node:assert";
import { PeipkgError } from "../../../core/errors.ts";
import { parseTimestamp, type Timestamp } from "../../../core/identity/timestamp.ts";
import {
  ageError,
  checkMinimum,
  CLOCK_LOWER_BOUND_SECONDS,
  clockFault,
  findAgeProblem,
  judgeStamp,
  programEvidence,
  warnClock,
  warnFuture,
  warnHighLimits,
} from "../../../core/repository/freshness.ts";
import { refusedBy } from "../../support/refusals.ts";

const DAY = 86_400_000;
const DAY_0 = Date.UTC(2026, 0, 1);

function at(text: string): Timestamp {
  const timestamp = parseTimestamp(text);
  assert.ok(timestamp !== undefined);
  return timestamp;
}

Deno.test("R-FRESH-01, R-FRESH-02, R-FRESH-03: judgeStamp() follows the table of versions and dates", () => {
  const floor = { indexVersion: 5, generatedAt: "2026-01-02T00:00:00Z" };
  const [before, same, after] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"];
  const table = [
    [4, "reject", "reject", "reject"],
    [5, "reject", "no-progress", "reused"],
    [6, "reject", "progress", "progress"],
  ] as const;
  for (const [indexVersion, ...outcomes] of table) {
    for (const [index, generated] of [before, same, after].entries()) {
      let found: string;
      try {
        found = judgeStamp("x", { indexVersion, generatedAt: at(generated ?? "") }, floor);
      } catch (error) {
        assert.ok(error instanceof PeipkgError && error.detail.rule === "E_INDEX_ROLLBACK");
        found = "reject";
      }
      assert.equal(found, outcomes[index], `v${indexVersion} ${generated}`);
    }
  }
});

Deno.test("R-TIME-01: judgeStamp() compares fractions of a second in full", () => {
  const floor = { indexVersion: 5, generatedAt: "2026-01-02T00:00:00.123456789Z" };
  const judge = (text: string) => judgeStamp("x", { indexVersion: 5, generatedAt: at(text) }, floor);
  assert.equal(judge("2026-01-02T00:00:00.123456789000Z"), "no-progress");
  assert.equal(judge("2026-01-02T00:00:00.1234567891Z"), "reused");
  assert.throws(() => judge("2026-01-02T00:00:00.1234567889Z"), PeipkgError);
  assert.throws(() => judge("2026-01-02T00:00:00Z"), PeipkgError);
});

Deno.test("R-FRESH-06: checkMinimum() takes the minimum itself and refuses below", () => {
  checkMinimum("x", 10, 10);
  checkMinimum("x", 1, 0);
  assert.throws(
    () => checkMinimum("x", 9, 10),
    refusedBy("E_INDEX_BELOW_MINIMUM"),
  );
});

Deno.test("R-FRESH-05: an index from more than a day ahead is a warning", () => {
  const now = Date.UTC(2026, 0, 1);
  assert.deepEqual(warnFuture("x", at("2026-01-02T00:00:00Z"), now), []);
  assert.deepEqual(warnFuture("x", at("2026-01-02T00:00:00.001Z"), now).map((item) => item.rule), ["W_INDEX_FUTURE"]);
});

const age = (days: number, more: { lastRefreshAt?: number | undefined; generatedAt?: string } = {}) =>
  findAgeProblem({
    lastRefreshAt: "lastRefreshAt" in more ? more.lastRefreshAt : DAY_0 / 1000,
    generatedAt: more.generatedAt ?? "2026-01-01T00:00:00Z",
    maxTrustedAgeDays: 30,
    maxIndexStalenessDays: 90,
  }, DAY_0 + days * DAY);

Deno.test("R-AGE-01, R-AGE-03: the trust gate trips strictly beyond the limit", () => {
  assert.equal(age(30), undefined); // C21
  assert.deepEqual(age(30 + 1 / 86_400), { rule: "E_TRUST_AGE", ageDays: 30, limitDays: 30 });
  assert.deepEqual(age(41), { rule: "E_TRUST_AGE", ageDays: 41, limitDays: 30 });
  assert.deepEqual(age(0, { lastRefreshAt: undefined }), { rule: "E_TRUST_AGE", ageDays: undefined, limitDays: 30 });
  assert.equal(age(0, { lastRefreshAt: DAY_0 / 1000 + 86_400 }), undefined);
  assert.equal(age(0, { lastRefreshAt: DAY_0 / 1000 + 86_401 })?.rule, "E_TRUST_AGE");
});

Deno.test("R-AGE-02: the staleness gate looks at the index's own date", () => {
  const lastRefreshAt = (DAY_0 + 95 * DAY) / 1000;
  assert.deepEqual(age(95, { lastRefreshAt }), { rule: "E_INDEX_STALE", ageDays: 95, limitDays: 90 });
  assert.equal(age(90, { lastRefreshAt: (DAY_0 + 90 * DAY) / 1000 }), undefined);
});

Deno.test("R-AGE-05: ageError() names repository, age and limit, and how to insist", () => {
  const error = ageError("official", { rule: "E_TRUST_AGE", ageDays: 41, limitDays: 30 });
  assert.equal(error.code, "stale");
  assert.equal(error.message, 'cannot rely on repository "official": last refreshed 41d ago, the maximum is 30d');
  assert.match(error.detail.hint ?? "", /--allow-stale/);
});

Deno.test("C-PLAN-07: limits configured above 180 and 365 days warn each time", () => {
  const rules = (maxTrustedAgeDays: number, maxIndexStalenessDays: number) =>
    warnHighLimits("x", { maxTrustedAgeDays, maxIndexStalenessDays }).map((item) => item.rule);
  assert.deepEqual(rules(180, 365), []);
  assert.deepEqual(rules(181, 366), ["W_AGE_LIMIT_HIGH", "W_AGE_LIMIT_HIGH"]);
});

Deno.test("A-MISC-02: a clock before this program existed is suspect", () => {
  const source = [programEvidence(undefined)];
  assert.deepEqual(warnClock(CLOCK_LOWER_BOUND_SECONDS * 1000, source), []);
  assert.deepEqual(warnClock(CLOCK_LOWER_BOUND_SECONDS * 1000 - 1, source), [{
    rule: "CLOCK_SUSPECT",
    text: "the clock is wrong: it shows 2025-12-31T23:59:59Z, but this program was made at 2026-01-01T00:00:00Z; " +
      "checks of age mean nothing",
  }]);
  const built = [programEvidence(DAY_0 / 1000)];
  assert.deepEqual(warnClock(DAY_0, built), []);
  assert.equal(warnClock(DAY_0 - 1, built).length, 1);
  assert.equal(programEvidence(0).seconds, CLOCK_LOWER_BOUND_SECONDS); // built from sources without a date
});

Deno.test("A-MISC-02, R-FRESH-05: times other clocks wrote are allowed a day, and the latest is named", () => {
  const evidence = [
    { what: "a happened", seconds: DAY_0 / 1000 },
    { what: "b happened", seconds: DAY_0 / 1000 + 60 },
    { what: "c happened", seconds: DAY_0 / 1000 + 30 },
  ];
  assert.equal(clockFault(DAY_0 - 86_400_000 + 60_000, evidence), undefined);
  assert.match(
    clockFault(DAY_0 - 86_400_000 + 59_000, evidence) ?? "",
    /^the clock is wrong: it shows .*, but b happened at /,
  );
});

Deno.test("A-MISC-02, R-AGE-05: an age that a wrong clock makes untellable blames the clock", () => {
  const untellable = { rule: "E_TRUST_AGE", ageDays: undefined, limitDays: 30 } as const;
  const error = ageError("main", untellable, "the clock is wrong: it shows x");
  assert.equal(error.code, "stale");
  assert.equal(error.message, 'cannot tell the age of repository "main": the clock is wrong: it shows x');
  assert.match(error.detail.hint ?? "", /^set the clock/);
  // A real age is past its limit whatever else the clock is.
  assert.match(
    ageError("main", { ...untellable, ageDays: 41 }, "the clock is wrong").message,
    /last refreshed 41d ago/,
  );
});
