/** Architectures: what a package runs on (F-ARCH-01 … F-ARCH-04). */
import { excerpt, ruleError } from "../errors.ts";

/** The closed set of F-ARCH-02, primary first. */
export const KNOWN_ARCHITECTURES = ["x86_64", "aarch64", "noarch"] as const;

/** A known architecture identifier. */
export type Architecture = (typeof KNOWN_ARCHITECTURES)[number];

/** F-ARCH-01 */
const ARCHITECTURE_REGEXP = /^[a-z][a-z0-9_]{0,15}$/;

/** Whether `text` is spelled like an architecture, known or not (F-ARCH-01). */
export function isArchitectureSyntax(text: string): boolean {
  return ARCHITECTURE_REGEXP.test(text);
}

/** Whether `text` is one of the known architectures (F-ARCH-02). */
export function isArchitecture(text: string): text is Architecture {
  return text === "x86_64" || text === "aarch64" || text === "noarch";
}

/**
 * Parses an architecture identifier.
 *
 * @throws {PeipkgError} `format` (`E_ARCH_SYNTAX` when malformed, `E_ARCH_UNKNOWN` outside the known set)
 * @see F-ARCH-01, F-ARCH-02
 */
export function parseArchitecture(text: string): Architecture {
  if (isArchitecture(text)) return text;
  const shown = excerpt(text, 80);
  if (!isArchitectureSyntax(text)) {
    throw ruleError(
      "E_ARCH_SYNTAX",
      `cannot parse architecture "${shown}": expected a-z, then up to 15 of a-z, 0-9 and "_"`,
    );
  }
  throw ruleError(
    "E_ARCH_UNKNOWN",
    `cannot use architecture "${shown}": it is not known, expected ${KNOWN_ARCHITECTURES.join(", ")}`,
  );
}

/** The triplet of an architecture, `x86_64-linux-peios`; `noarch` has none (F-ARCH-03). */
export function tripletOf(architecture: Architecture): string | undefined {
  return architecture === "noarch" ? undefined : `${architecture}-linux-peios`;
}

/** Whether a package of architecture `candidate` installs on a system of architecture `system` (F-ARCH-04). */
export function isInstallableOn(candidate: Architecture, system: Architecture): boolean {
  return candidate === system || candidate === "noarch";
}

/** Whether `candidate` may satisfy a relation declared by a package of architecture `declaring` (F-ARCH-05). */
export function matchesQualifierAny(candidate: Architecture, declaring: Architecture): boolean {
  return candidate === declaring || candidate === "noarch";
}
