/**
 * Timestamps: RFC 3339 in UTC with a literal `Z`. The general form keeps its fraction as text and compares it in
 * full precision (R-TIME-01); the manifest form has no fraction and a bounded range (F-MAN-06).
 */

declare const brand: unique symbol;

/** A valid instant. */
export interface Timestamp {
  /** The text as received. */
  readonly raw: string;
  /** Whole seconds since 1970-01-01T00:00:00Z; negative before. */
  readonly seconds: number;
  /** Digits after the decimal point without trailing zeros; empty for none. */
  readonly fraction: string;
  readonly [brand]: true;
}

const TIMESTAMP_REGEXP = /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?Z$/;

/** The largest modification time eleven octal digits hold (F-MAN-06). */
export const MAX_BUILD_SECONDS = 8589934591;

/**
 * Parses a timestamp of a repository document.
 *
 * @returns `undefined` when the text is no such timestamp or no real date; the caller names the field's own rule.
 * @see R-TIME-01
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = TIMESTAMP_REGEXP.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  if (
    year === undefined || month === undefined || day === undefined || hour === undefined || minute === undefined ||
    second === undefined
  ) return undefined;
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const seconds = daysFromEpoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  return { raw: text, seconds, fraction: withoutTrailingZeros(match[7] ?? "") } as Timestamp;
}

/**
 * Parses a manifest's build timestamp: no fraction, from 1970 to what a tar header holds.
 *
 * @returns Seconds since the epoch, or `undefined`.
 * @see F-MAN-06
 */
export function parseBuildTimestamp(text: string): number | undefined {
  const timestamp = parseTimestamp(text);
  if (timestamp === undefined || text.includes(".")) return undefined;
  return timestamp.seconds >= 0 && timestamp.seconds <= MAX_BUILD_SECONDS ? timestamp.seconds : undefined;
}

/** Compares two instants in full precision (R-TIME-01). */
export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds ? -1 : 1;
  // Without trailing zeros, digit strings of fractions order as text.
  return a.fraction < b.fraction ? -1 : a.fraction > b.fraction ? 1 : 0;
}

/** Milliseconds since the epoch, rounded down. For ages and limits only; never for deciding which is newer. */
export function timestampMilliseconds(timestamp: Timestamp): number {
  return timestamp.seconds * 1000 + Number(timestamp.fraction.slice(0, 3).padEnd(3, "0"));
}

/**
 * Writes whole seconds since the epoch as `YYYY-MM-DDThh:mm:ssZ`.
 *
 * @param seconds Integer between the years 0 and 9999.
 */
export function formatTimestamp(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  const [year, month, day] = dateOfDays(days);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}T` +
    `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}Z`;
}

function withoutTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === 0x30) end--;
  return digits.slice(0, end);
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar, with the year taken to begin in March. */
function daysFromEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719468;
}

/** The inverse of `daysFromEpoch()`. */
function dateOfDays(days: number): readonly [number, number, number] {
  const shifted = days + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthIndex = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthIndex + 2) / 5) + 1;
  const month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}
