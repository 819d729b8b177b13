/** Samples to medians, ratios, a table for people and a record for later comparison. */
import type { Results } from "./scenarios.ts";

export interface Row {
  readonly workload: string;
  readonly peer: string;
  readonly rounds: number;
  readonly medianSeconds: number;
  /** Largest minus smallest, as a share of the median. */
  readonly spread: number;
  readonly cpuSeconds: number;
  readonly peakKib: number;
  readonly writtenBytes: number | undefined;
}

export interface Report {
  /** RFC 3339. */
  readonly at: string;
  readonly machine: string;
  readonly commit: string;
  readonly rows: readonly Row[];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function summarise(results: Results): readonly Row[] {
  const rows: Row[] = [];
  for (const [workload, peers] of results) {
    for (const [peer, samples] of peers) {
      const seconds = samples.map((sample) => sample.seconds);
      const written = samples.flatMap(({ writtenBytes }) => (writtenBytes === undefined ? [] : [writtenBytes]));
      const medianSeconds = median(seconds);
      rows.push({
        workload,
        peer,
        rounds: samples.length,
        medianSeconds,
        spread: (Math.max(...seconds) - Math.min(...seconds)) / medianSeconds,
        cpuSeconds: median(samples.map((sample) => sample.cpuSeconds)),
        peakKib: Math.max(...samples.map((sample) => sample.peakKib)),
        writtenBytes: written.length === 0 ? undefined : median(written),
      });
    }
  }
  return rows;
}

function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${(seconds * 1000).toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
}

function renderTable(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = header.map((cell, column) => Math.max(cell.length, ...lines.map((line) => line[column]?.length ?? 0)));
  return [header, ...lines].map((line) =>
    line.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ").trimEnd()
  ).join("\n");
}

/** One line per workload and peer, with the ratio to the floor, and peipkg's ratio to each peer. */
export function renderReport(report: Report, previous?: Report): string {
  const header = ["workload", "peer", "median", "spread", "cpu", "× floor", "peipkg ×", "peak", "written", "n"];
  if (previous !== undefined) header.push("before", "change");
  const lines: string[][] = [];
  const find = (rows: readonly Row[], workload: string, peer: string): number | undefined =>
    rows.find((row) => row.workload === workload && row.peer === peer)?.medianSeconds;
  for (const row of report.rows) {
    const lowest = find(report.rows, row.workload, "floor");
    const own = find(report.rows, row.workload, "peipkg");
    const line = [
      row.workload,
      row.peer,
      formatSeconds(row.medianSeconds),
      `${(row.spread * 100).toFixed(0)} %`,
      formatSeconds(row.cpuSeconds),
      lowest === undefined ? "" : (row.medianSeconds / lowest).toFixed(2),
      own === undefined || row.peer === "peipkg" ? "" : (own / row.medianSeconds).toFixed(2),
      `${(row.peakKib / 1024).toFixed(0)} MiB`,
      row.writtenBytes === undefined ? "" : `${(row.writtenBytes / 2 ** 20).toFixed(0)} MiB`,
      String(row.rounds),
    ];
    if (previous !== undefined) {
      const before = find(previous.rows, row.workload, row.peer);
      line.push(before === undefined ? "" : formatSeconds(before));
      line.push(before === undefined ? "" : `${((row.medianSeconds / before - 1) * 100).toFixed(0)} %`);
    }
    lines.push(line);
  }
  return renderTable(header, lines);
}
