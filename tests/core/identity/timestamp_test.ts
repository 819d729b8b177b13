import assert from "node:assert/strict";
import {
  compareTimestamps,
  formatTimestamp,
  MAX_BUILD_SECONDS,
  parseBuildTimestamp,
  parseTimestamp,
  timestampMilliseconds,
} from "../../../core/identity/timestamp.ts";

function parsed(text: string) {
  const timestamp = parseTimestamp(text);
  assert.ok(timestamp !== undefined, text);
  return timestamp;
}

Deno.test("F-MAN-06: parseBuildTimestamp() takes whole seconds of real dates from 1970 to what tar holds", () => {
  assert.equal(parseBuildTimestamp("2026-01-02T03:04:05Z"), 1767323045);
  assert.equal(parseBuildTimestamp("2026-05-06T12:00:00Z"), 1778068800);
  assert.equal(parseBuildTimestamp("1970-01-01T00:00:00Z"), 0);
  assert.equal(parseBuildTimestamp("2000-02-29T23:59:59Z"), 951868799);
  assert.equal(parseBuildTimestamp("2242-03-16T12:56:31Z"), MAX_BUILD_SECONDS);
  const refused = [
    "2242-03-16T12:56:32Z",
    "1969-12-31T23:59:59Z",
    "2026-05-06T12:00:00.5Z",
    "2026-05-06T12:00:00.0Z",
    "2026-05-06T12:00:00+00:00",
    "2026-05-06t12:00:00Z",
    "2026-05-06T12:00:00z",
    "2026-05-06 12:00:00Z",
    "2026-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z",
    "2026-1-1T00:00:00Z",
    "yesterday",
    "",
    "2026-05-06T12:00:00Z\n",
  ];
  for (const text of refused) assert.equal(parseBuildTimestamp(text), undefined, text);
});

Deno.test("R-TIME-01: parseTimestamp() takes fractions, and compareTimestamps() compares them in full", () => {
  const later = parsed("2026-05-06T12:00:00.0000000000000000002Z");
  const earlier = parsed("2026-05-06T12:00:00.0000000000000000001Z");
  assert.ok(compareTimestamps(earlier, later) < 0);
  assert.ok(compareTimestamps(later, earlier) > 0);
  assert.equal(compareTimestamps(parsed("2026-05-06T12:00:00.50Z"), parsed("2026-05-06T12:00:00.5Z")), 0);
  assert.equal(compareTimestamps(parsed("2026-05-06T12:00:00.0Z"), parsed("2026-05-06T12:00:00Z")), 0);
  assert.ok(compareTimestamps(parsed("2026-05-06T12:00:00.9Z"), parsed("2026-05-06T12:00:01Z")) < 0);
  assert.ok(compareTimestamps(parsed("2026-05-06T12:00:00.09Z"), parsed("2026-05-06T12:00:00.1Z")) < 0);
  assert.equal(parsed("2026-05-06T12:00:00.50Z").raw, "2026-05-06T12:00:00.50Z");
  for (const text of ["2026-05-06T12:00:00.Z", "2026-05-06T12:00:00,5Z", "2026-05-06T12:00:00.5"]) {
    assert.equal(parseTimestamp(text), undefined, text);
  }
  assert.equal(timestampMilliseconds(parsed("1970-01-01T00:00:01.2345Z")), 1234);
});

Deno.test("R-TIME-01: a fraction of megabytes is read in linear time", () => {
  const started = performance.now();
  const zeros = "0".repeat(2_000_000);
  assert.equal(parsed(`2026-05-06T12:00:00.${zeros}1Z`).fraction.length, 2_000_001);
  assert.equal(parsed(`2026-05-06T12:00:00.${zeros}Z`).fraction, "");
  assert.ok(performance.now() - started < 5000);
});

Deno.test("formatTimestamp() is the inverse of parseBuildTimestamp()", () => {
  for (const seconds of [0, 1, 951868799, 951868800, 1767323045, 4107542400, MAX_BUILD_SECONDS]) {
    assert.equal(parseBuildTimestamp(formatTimestamp(seconds)), seconds);
    assert.equal(formatTimestamp(seconds), new Date(seconds * 1000).toISOString().replace(".000", ""));
  }
});
