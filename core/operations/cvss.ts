/**
 * Severity of an advisory: its own word, or one from a CVSS vector's base score. Vectors of versions 2 and 3 are
 * computed by their published equations; of version 4 only a plain number is understood.
 */

const WORD_REGEXP = /^[A-Za-z]{2,20}$/;
const NUMBER_REGEXP = /^(?:10(?:\.0)?|[0-9](?:\.[0-9])?)$/;

/** A word of the record's own, in capitals; `undefined`: it is none. */
export function severityWord(text: unknown): string | undefined {
  return typeof text === "string" && WORD_REGEXP.test(text) ? text.toUpperCase() : undefined;
}

/**
 * The word for a CVSS score or vector.
 *
 * @see C-AUDIT-04
 */
export function severityOfScore(text: string): string | undefined {
  const score = NUMBER_REGEXP.test(text) ? Number(text) : baseScore(text);
  if (score === undefined || score === 0) return undefined;
  return score < 4 ? "LOW" : score < 7 ? "MEDIUM" : score < 9 ? "HIGH" : "CRITICAL";
}

/** Base score of a vector; `undefined` when a base metric is missing or unknown. */
export function baseScore(vector: string): number | undefined {
  const metrics = new Map(
    vector.split("/").map((part): [string, string] => {
      const colon = part.indexOf(":");
      return [part.slice(0, colon), part.slice(colon + 1)];
    }),
  );
  const version = metrics.get("CVSS");
  if (version === "3.0" || version === "3.1") return scoreThree(metrics);
  return version === undefined ? scoreTwo(metrics) : undefined;
}

type Metrics = ReadonlyMap<string, string>;
type Weights = Readonly<Record<string, number>>;

/** Weights of the metrics named; `undefined` when one is not given or unknown. */
function weigh(metrics: Metrics, tables: Readonly<Record<string, Weights>>): ReadonlyMap<string, number> | undefined {
  const weights = new Map<string, number>();
  for (const [metric, table] of Object.entries(tables)) {
    const value = metrics.get(metric) ?? "";
    const weight = Object.hasOwn(table, value) ? table[value] : undefined;
    if (weight === undefined) return undefined;
    weights.set(metric, weight);
  }
  return weights;
}

const IMPACT_THREE: Weights = { N: 0, L: 0.22, H: 0.56 };
const THREE: Readonly<Record<string, Weights>> = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  UI: { N: 0.85, R: 0.62 },
  S: { U: 0, C: 1 },
  C: IMPACT_THREE,
  I: IMPACT_THREE,
  A: IMPACT_THREE,
};
const PRIVILEGES: Readonly<Record<"unchanged" | "changed", Weights>> = {
  unchanged: { N: 0.85, L: 0.62, H: 0.27 },
  changed: { N: 0.85, L: 0.68, H: 0.5 },
};

function scoreThree(metrics: Metrics): number | undefined {
  const isChanged = metrics.get("S") === "C";
  const weights = weigh(metrics, { ...THREE, PR: isChanged ? PRIVILEGES.changed : PRIVILEGES.unchanged });
  if (weights === undefined) return undefined;
  const of = (metric: string): number => weights.get(metric) ?? 0;
  const base = 1 - (1 - of("C")) * (1 - of("I")) * (1 - of("A"));
  const impact = isChanged ? 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 : 6.42 * base;
  if (impact <= 0) return 0;
  const exploitability = 8.22 * of("AV") * of("AC") * of("PR") * of("UI");
  return roundUp(Math.min((isChanged ? 1.08 : 1) * (impact + exploitability), 10));
}

/** Up to one decimal, by integers so that no rounding error lifts a score (CVSS 3.1, appendix A). */
function roundUp(value: number): number {
  const scaled = Math.round(value * 100_000);
  return scaled % 10_000 === 0 ? scaled / 100_000 : (Math.floor(scaled / 10_000) + 1) / 10;
}

const IMPACT_TWO: Weights = { N: 0, P: 0.275, C: 0.66 };
const TWO: Readonly<Record<string, Weights>> = {
  AV: { L: 0.395, A: 0.646, N: 1 },
  AC: { H: 0.35, M: 0.61, L: 0.71 },
  Au: { M: 0.45, S: 0.56, N: 0.704 },
  C: IMPACT_TWO,
  I: IMPACT_TWO,
  A: IMPACT_TWO,
};

function scoreTwo(metrics: Metrics): number | undefined {
  const weights = weigh(metrics, TWO);
  if (weights === undefined) return undefined;
  const of = (metric: string): number => weights.get(metric) ?? 0;
  const impact = 10.41 * (1 - (1 - of("C")) * (1 - of("I")) * (1 - of("A")));
  const exploitability = 20 * of("AV") * of("AC") * of("Au");
  const score = (0.6 * impact + 0.4 * exploitability - 1.5) * (impact === 0 ? 0 : 1.176);
  return Math.round(score * 10) / 10;
}
