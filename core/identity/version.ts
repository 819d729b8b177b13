/**
 * Versions of packages: `[<epoch>:]<upstream>-<revision>`. The comparison is specified segment by segment and is
 * deliberately not transitive in rare cases (F-CMP-09), so the highest of several versions is found by the fixed
 * scan of `highestVersion()` and never by a library sort.
 */
import { excerpt, ruleError } from "../errors.ts";

/** Holds the tokenised upstream; only this file can make a value that has it. */
const segments: unique symbol = Symbol("segments");

/** A version whose revision may be missing, as in constraints and `provides` entries (F-CON-04, F-CON-07). */
export interface ProvidedVersion {
  /** The text as written; printed unchanged (F-VER-07). */
  readonly raw: string;
  readonly epoch: bigint;
  readonly upstream: string;
  readonly revision: bigint | undefined;
  /** `undefined` for upstreams too long to keep in pieces. */
  readonly [segments]: readonly Segment[] | undefined;
}

/** A full version. Two versions with different `raw` may compare equal (F-VER-07). */
export interface Version extends ProvidedVersion {
  readonly revision: bigint;
}

/** One run of digits or letters of an upstream (F-CMP-02). */
interface Segment {
  /** F-CMP-03: 0–5 for letters, `NUMERIC` for digits. */
  readonly rank: number;
  /** Letters as written; digits without leading zeros. */
  readonly text: string;
  /** Value of a numeric segment that fits exactly, else `NaN`. */
  readonly value: number;
  /** F-CMP-04 */
  readonly prerelease: boolean;
}

const NUMERIC = -1;
/** F-CMP-03: text that is no pre-release token. */
const PLAIN_RANK = 5;
const RANKS: ReadonlyMap<string, number> = new Map([
  ["dev", 0],
  ["alpha", 1],
  ["a", 1],
  ["beta", 2],
  ["b", 2],
  ["pre", 3],
  ["rc", 4],
]);

/** F-VER-06 */
const MAX_NUMBER = 9223372036854775807n;
/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;

/** Longer upstreams, which only hostile text has, are taken apart anew at every comparison, piece by piece. */
const KEPT_CHARACTERS = 256;

/** F-VER-05 */
const UPSTREAM_REGEXP = /^[A-Za-z0-9][A-Za-z0-9.+~-]*$/;
/** F-VER-02 */
const EPOCH_REGEXP = /^(?:0|[1-9][0-9]*)$/;
/** F-VER-04 */
const REVISION_REGEXP = /^[1-9][0-9]*$/;

/**
 * Parses a full version; the revision is mandatory.
 *
 * @throws {PeipkgError} `format` (`E_VERSION`)
 * @see F-VER-01 … F-VER-07
 */
export function parseVersion(text: string): Version {
  const [epoch, remainder] = splitEpoch(text);
  const dash = remainder.lastIndexOf("-"); // F-VER-03
  if (dash < 0) throw badVersion(text, "revision is missing, expected <upstream>-<peios revision>");
  const digits = remainder.slice(dash + 1);
  if (!REVISION_REGEXP.test(digits)) {
    throw badVersion(text, `revision "${excerpt(digits)}" is not a decimal number of at least 1 without leading zeros`);
  }
  const revision = boundedNumber(text, digits);
  const upstream = checkUpstream(text, remainder.slice(0, dash));
  return { raw: text, epoch, upstream, revision, [segments]: tokenise(upstream) };
}

/**
 * Parses the version of a `provides` entry or a constraint's operand: the revision may be missing.
 *
 * @throws {PeipkgError} `format` (`E_VERSION`)
 * @see F-CON-04, F-CON-07
 */
export function parseProvidedVersion(text: string): ProvidedVersion {
  const [epoch, remainder] = splitEpoch(text);
  const dash = remainder.lastIndexOf("-");
  const digits = dash < 0 ? "" : remainder.slice(dash + 1);
  // F-CON-04: only a canonical decimal of at least 1 is a revision; everything else belongs to the upstream.
  const revision = REVISION_REGEXP.test(digits) ? boundedNumber(text, digits) : undefined;
  const upstream = checkUpstream(text, revision === undefined ? remainder : remainder.slice(0, dash));
  return { raw: text, epoch, upstream, revision, [segments]: tokenise(upstream) };
}

/**
 * Compares two full versions.
 *
 * @returns Negative when `a` is below `b`, 0 when they compare equal, positive when it is above.
 * @see F-CMP-01 … F-CMP-08
 */
export function compareVersions(a: Version, b: Version): number {
  if (a.raw === b.raw) return 0;
  const order = compareEpochAndUpstream(a, b);
  if (order !== 0) return order;
  return a.revision < b.revision ? -1 : a.revision > b.revision ? 1 : 0;
}

/** Compares epoch and upstream alone, as a constraint without a revision does (F-CON-05). */
export function compareEpochAndUpstream(a: ProvidedVersion, b: ProvidedVersion): number {
  if (a.epoch !== b.epoch) return a.epoch < b.epoch ? -1 : 1;
  if (a.upstream === b.upstream) return 0;
  return compareSegments(segmentsOf(a), segmentsOf(b));
}

/**
 * Picks the item with the highest version by the fixed scan of F-CMP-10: candidates in byte order of their raw
 * version, the current best replaced only by a strictly greater one. Equal raw strings keep the first item.
 *
 * @returns `undefined` for no items.
 */
export function highestVersion<T>(items: Iterable<T>, versionOf: (item: T) => Version): T | undefined {
  const ordered = [...items].map((item) => ({ item, version: versionOf(item) }));
  // Versions are ASCII, so code-unit order is byte order; the sort is stable.
  ordered.sort((a, b) => a.version.raw < b.version.raw ? -1 : a.version.raw > b.version.raw ? 1 : 0);
  let best = ordered[0];
  for (const next of ordered) {
    if (best !== undefined && compareVersions(next.version, best.version) > 0) best = next;
  }
  return best?.item;
}

function splitEpoch(text: string): readonly [bigint, string] {
  const colon = text.indexOf(":"); // F-VER-01: the first one; another is an illegal upstream character
  if (colon < 0) return [0n, text];
  const digits = text.slice(0, colon);
  if (!EPOCH_REGEXP.test(digits)) {
    throw badVersion(text, `epoch "${excerpt(digits)}" is not a decimal number without leading zeros`);
  }
  return [boundedNumber(text, digits), text.slice(colon + 1)];
}

function boundedNumber(text: string, digits: string): bigint {
  if (digits.length <= EXACT_DIGITS) return BigInt(digits);
  // F-VER-06: compare the length first so that a megabyte of digits is never converted
  if (digits.length > 19 || BigInt(digits) > MAX_NUMBER) {
    throw badVersion(text, `epoch and revision may be at most ${MAX_NUMBER}`);
  }
  return BigInt(digits);
}

function checkUpstream(text: string, upstream: string): string {
  if (UPSTREAM_REGEXP.test(upstream)) return upstream;
  if (upstream === "") throw badVersion(text, "upstream is empty");
  if (!/^[A-Za-z0-9]/.test(upstream)) throw badVersion(text, "upstream must begin with a letter or digit");
  throw badVersion(text, `upstream may hold only letters, digits, ".", "+", "-" and "~"`);
}

function badVersion(text: string, found: string) {
  return ruleError("E_VERSION", `cannot parse version "${excerpt(text)}": ${found}`);
}

function tokenise(upstream: string): readonly Segment[] | undefined {
  return upstream.length <= KEPT_CHARACTERS ? [...scanSegments(upstream)] : undefined;
}

function segmentsOf(version: ProvidedVersion): Iterator<Segment> {
  return version[segments]?.values() ?? scanSegments(version.upstream);
}

/** F-CMP-02 … F-CMP-04. `upstream` is known to be ASCII letters, digits and separators. */
function* scanSegments(upstream: string): Generator<Segment> {
  let prerelease = false;
  let at = 0;
  while (at < upstream.length) {
    const start = at;
    const code = upstream.charCodeAt(at);
    if (isDigit(code)) {
      while (at < upstream.length && isDigit(upstream.charCodeAt(at))) at++;
      yield numericSegment(upstream, start, at, prerelease);
    } else if (isLetter(code)) {
      while (at < upstream.length && isLetter(upstream.charCodeAt(at))) at++;
      const text = upstream.slice(start, at);
      const rank = text.length > 5 ? PLAIN_RANK : RANKS.get(text.toLowerCase()) ?? PLAIN_RANK;
      if (rank < PLAIN_RANK) prerelease = true;
      yield { rank, text, value: NaN, prerelease };
    } else {
      if (code === 0x7e) prerelease = true;
      at++;
    }
  }
}

function numericSegment(upstream: string, start: number, end: number, prerelease: boolean): Segment {
  let first = start;
  while (first < end - 1 && upstream.charCodeAt(first) === 0x30) first++; // F-CMP-05: leading zeros do not count
  const text = upstream.slice(first, end);
  return { rank: NUMERIC, text, value: text.length <= EXACT_DIGITS ? Number(text) : NaN, prerelease };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

/** F-CMP-08 */
function compareSegments(a: Iterator<Segment>, b: Iterator<Segment>): number {
  for (;;) {
    const left = a.next();
    const right = b.next();
    if (left.done === true) return right.done === true ? 0 : -orderOfTail(right.value);
    if (right.done === true) return orderOfTail(left.value);
    const order = compareSegment(left.value, right.value);
    if (order !== 0) return order;
  }
}

/** How a version that goes on with `next` stands to one that has ended. */
function orderOfTail(next: Segment): number {
  return next.rank !== NUMERIC && next.prerelease ? -1 : 1;
}

function compareSegment(a: Segment, b: Segment): number {
  if (a.rank === NUMERIC) {
    return b.rank === NUMERIC ? compareNumbers(a, b) : b.prerelease ? 1 : -1; // F-CMP-05, F-CMP-07
  }
  if (b.rank === NUMERIC) return a.prerelease ? -1 : 1;
  if (a.rank !== b.rank) return a.rank < b.rank ? -1 : 1; // F-CMP-06
  if (a.rank < PLAIN_RANK) return 0;
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

function compareNumbers(a: Segment, b: Segment): number {
  if (a.text.length !== b.text.length) return a.text.length < b.text.length ? -1 : 1;
  if (a.text.length <= EXACT_DIGITS) return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0; // same number of digits: text order is number order
}
