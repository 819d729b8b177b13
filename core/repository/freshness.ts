/** Rollback floors and age gates (section 5): what is too old to accept, and what is too old to rely on. */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import {
  compareTimestamps,
  formatTimestamp,
  parseTimestamp,
  type Timestamp,
  timestampMilliseconds,
} from "../identity/timestamp.ts";
import { corrupt } from "../store/database.ts";
import type { Floor } from "../store/repository_state.ts";

const DAY_MILLISECONDS = 86_400_000;
/** Years of fresh metadata are planned with days; a clock a day ahead is tolerated (R-FRESH-05, R-AGE-03). */
const FUTURE_TOLERANCE_MILLISECONDS = DAY_MILLISECONDS;
const HIGH_TRUSTED_AGE_DAYS = 180;
const HIGH_STALENESS_DAYS = 365;
/**
 * No clock that runs this program can be earlier: seconds of 2026-01-01T00:00:00Z, before its first release
 * (A-MISC-02).
 */
export const CLOCK_LOWER_BOUND_SECONDS = 1_767_225_600;

/** Stamp of a fetched index. */
export interface IndexStamp {
  readonly indexVersion: number;
  readonly generatedAt: Timestamp;
}

/**
 * Compares a verified index with the floor of its repository and kind (table 5.1).
 *
 * @returns `progress`, or `no-progress` when both stamps are equal; `reused`: progress under a version seen before.
 * @throws {PeipkgError} `index-rollback` (`E_INDEX_ROLLBACK`)
 */
export function judgeStamp(handle: string, stamp: IndexStamp, floor: Floor): "progress" | "reused" | "no-progress" {
  if (floor.generatedAt === undefined) return "progress";
  const known = parseTimestamp(floor.generatedAt);
  if (known === undefined) throw corrupt(`the floor of "${handle}" is no timestamp`);
  const newer = compareTimestamps(stamp.generatedAt, known);
  if (stamp.indexVersion < floor.indexVersion) {
    throw rollback(handle, `index version ${stamp.indexVersion} is below ${floor.indexVersion}, already accepted`);
  }
  if (newer < 0) {
    throw rollback(
      handle,
      `its index was generated at ${stamp.generatedAt.raw}, before ${floor.generatedAt}, already accepted`,
    );
  }
  if (stamp.indexVersion > floor.indexVersion) return "progress";
  return newer === 0 ? "no-progress" : "reused";
}

function rollback(handle: string, found: string) {
  return ruleError("E_INDEX_ROLLBACK", `cannot refresh "${handle}": ${found}`, {
    repository: handle,
    document: "index",
  });
}

/**
 * R-FRESH-06: the operator's minimum holds at the first add and at every refresh.
 *
 * @throws {PeipkgError} `index-rollback` (`E_INDEX_BELOW_MINIMUM`)
 */
export function checkMinimum(handle: string, indexVersion: number, minimum: number): void {
  if (indexVersion >= minimum) return;
  throw ruleError(
    "E_INDEX_BELOW_MINIMUM",
    `cannot trust the index of "${handle}": index version ${indexVersion} is below the configured minimum ${minimum}`,
    { repository: handle, document: "index" },
  );
}

/** R-FRESH-05 */
export function warnFuture(handle: string, generatedAt: Timestamp, now: number): readonly Warning[] {
  if (timestampMilliseconds(generatedAt) <= now + FUTURE_TOLERANCE_MILLISECONDS) return [];
  return [{
    rule: "W_INDEX_FUTURE",
    text: `the index of repository "${handle}" says it was generated at ${generatedAt.raw}, more than a day from now`,
  }];
}

/** A gate that tripped, or why none did. */
export interface AgeFinding {
  readonly rule: "E_TRUST_AGE" | "E_INDEX_STALE";
  /** Whole days; `undefined`: never refreshed, or a time in the future. */
  readonly ageDays: number | undefined;
  readonly limitDays: number;
}

export interface AgeInput {
  /** Seconds since the epoch. */
  readonly lastRefreshAt: number | undefined;
  /** Of the cached active index. */
  readonly generatedAt: string | undefined;
  readonly maxTrustedAgeDays: number;
  readonly maxIndexStalenessDays: number;
}

/**
 * Evaluates both age gates of a repository.
 *
 * @param now Milliseconds since the epoch.
 * @returns The first gate that trips; `undefined`: none.
 * @see R-AGE-01 … R-AGE-03
 */
export function findAgeProblem(input: AgeInput, now: number): AgeFinding | undefined {
  const seconds = Math.floor(now / 1000);
  const limit = input.maxTrustedAgeDays;
  const age = input.lastRefreshAt === undefined ? undefined : seconds - input.lastRefreshAt;
  // A refresh recorded in the future would never age: the clock was, or is, wrong.
  if (age === undefined || age < -86_400) return { rule: "E_TRUST_AGE", ageDays: undefined, limitDays: limit };
  if (age > limit * 86_400) return { rule: "E_TRUST_AGE", ageDays: Math.floor(age / 86_400), limitDays: limit };
  const generated = input.generatedAt === undefined ? undefined : parseTimestamp(input.generatedAt);
  const staleness = generated === undefined ? undefined : now - timestampMilliseconds(generated);
  const staleLimit = input.maxIndexStalenessDays;
  if (staleness !== undefined && staleness <= staleLimit * DAY_MILLISECONDS) return undefined;
  return {
    rule: "E_INDEX_STALE",
    ageDays: staleness === undefined ? undefined : Math.floor(staleness / DAY_MILLISECONDS),
    limitDays: staleLimit,
  };
}

/**
 * The refusal of a repository past its limit (R-AGE-05).
 *
 * @param clockFault What is wrong with the clock, which then explains an age nobody can tell (A-MISC-02).
 */
export function ageError(handle: string, finding: AgeFinding, clockFault?: string): PeipkgError {
  if (clockFault !== undefined && finding.ageDays === undefined) {
    return ruleError(finding.rule, `cannot tell the age of repository "${handle}": ${clockFault}`, {
      repository: handle,
      hint: "set the clock, or use --allow-stale to go on for this one operation",
    });
  }
  const what = finding.rule === "E_TRUST_AGE" ? "last refreshed" : "its index was generated";
  const age = finding.ageDays === undefined ? "at no usable time" : `${finding.ageDays}d ago`;
  return ruleError(
    finding.rule,
    `cannot rely on repository "${handle}": ${what} ${age}, the maximum is ${finding.limitDays}d`,
    { repository: handle, hint: "use --allow-stale to go on for this one operation" },
  );
}

/** Warnings about limits configured above what is sensible, given at every use (section 5.2, C-PLAN-07). */
export function warnHighLimits(
  handle: string,
  input: Omit<AgeInput, "lastRefreshAt" | "generatedAt">,
): readonly Warning[] {
  const warnings: Warning[] = [];
  if (input.maxTrustedAgeDays > HIGH_TRUSTED_AGE_DAYS) {
    warnings.push({
      rule: "W_AGE_LIMIT_HIGH",
      text: `repository "${handle}" is trusted for ${input.maxTrustedAgeDays} days without a refresh, ` +
        `more than ${HIGH_TRUSTED_AGE_DAYS}`,
    });
  }
  if (input.maxIndexStalenessDays > HIGH_STALENESS_DAYS) {
    warnings.push({
      rule: "W_AGE_LIMIT_HIGH",
      text: `the index of repository "${handle}" is trusted for ${input.maxIndexStalenessDays} days, ` +
        `more than ${HIGH_STALENESS_DAYS}`,
    });
  }
  return warnings;
}

/** A moment that lies in the past. */
export interface ClockEvidence {
  /** What happened then, as a clause: `the database was made`. */
  readonly what: string;
  /** Seconds since the epoch. */
  readonly seconds: number;
  /** No clock that might have been ahead wrote it, so that nothing excuses a clock before it. */
  readonly isExact?: boolean;
}

/**
 * The making of this program.
 *
 * @param builtAt Seconds since the epoch; `undefined` in source runs.
 */
export function programEvidence(builtAt: number | undefined): ClockEvidence {
  const seconds = Math.max(builtAt ?? 0, CLOCK_LOWER_BOUND_SECONDS);
  return { what: "this program was made", seconds, isExact: true };
}

/**
 * What is wrong with the clock. Times written by clocks that may themselves have been ahead are allowed the day that
 * R-FRESH-05 allows.
 *
 * @param now Milliseconds since the epoch.
 * @returns A clause naming the latest moment the clock is behind; `undefined`: it is behind none.
 * @see A-MISC-02
 */
export function clockFault(now: number, evidence: readonly ClockEvidence[]): string | undefined {
  const shown = Math.floor(now / 1000);
  let latest: ClockEvidence | undefined;
  for (const item of evidence) {
    const allowed = item.isExact === true ? 0 : FUTURE_TOLERANCE_MILLISECONDS / 1000;
    if (shown + allowed < item.seconds && item.seconds > (latest?.seconds ?? -Infinity)) latest = item;
  }
  if (latest === undefined) return undefined;
  return `the clock is wrong: it shows ${formatTimestamp(shown)}, but ${latest.what} at ${
    formatTimestamp(latest.seconds)
  }`;
}

/** A-MISC-02: checks that depend on the clock are worth little when it is certainly wrong. */
export function warnClock(now: number, evidence: readonly ClockEvidence[]): readonly Warning[] {
  const fault = clockFault(now, evidence);
  return fault === undefined ? [] : [{ rule: "CLOCK_SUSPECT", text: `${fault}; checks of age mean nothing` }];
}
