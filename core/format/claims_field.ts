/** The `claims` member of dependencies and provides entries: slots of roles with their paths (section 9.1). */
import { excerpt, type PeipkgError } from "../errors.ts";
import { isPackageName, type PackageName } from "../identity/package_name.ts";
import { compareBytes, isSafePath, type SafePath } from "../identity/safe_path.ts";
import { isClaimDestination, type Layout } from "./destinations.ts";
import { fieldError, type Place } from "./document.ts";
import { LIMITS } from "./limits.ts";
import { JsonObject, type JsonValue, type Shape, shapeOf } from "./strict_json.ts";

/** One slot of a role (F-CLM-02): the consumer side carries `path`, the provider side `target` and perhaps `path`. */
export interface Claim {
  readonly slot: PackageName;
  /** Claim path without its leading slash. */
  readonly path: SafePath | undefined;
  /** Claim target without its leading slash. */
  readonly target: SafePath | undefined;
}

/** Which side of a role declares: a dependency consumes, a provides entry provides. */
export type ClaimSide = "consumer" | "provider";

const NONE: readonly Claim[] = [];

/** What `readClaims()` reads: slots of any name. */
export const CLAIMS_SHAPE: Shape = { anyField: shapeOf(["path", "target"]) };

/**
 * Reads the `claims` field of an entry.
 *
 * @param layout Profile that claim paths are judged by.
 * @returns Claims in byte order of their slots.
 * @throws {PeipkgError} `format` (`E_CLAIM_SHAPE`, `E_CLAIM_SLOT`, `E_CLAIM_PATH`, `E_LIMIT_CLAIMS`),
 *   `collision` (`CLAIM_PATH_CONTESTED`)
 * @see C-DECL-01 … C-DECL-11, F-CLM-01 … F-CLM-03, F-CLM-05, F-CLM-07
 */
export function readClaims(place: Place, side: ClaimSide, layout: Layout): readonly Claim[] {
  const value = place.object.get("claims");
  if (value === undefined) return NONE;
  if (!(value instanceof JsonObject)) throw fieldError(place, "claims", "E_CLAIM_SHAPE", "expected an object of slots");
  if (value.keys.length > LIMITS.claimSlots) {
    const found = `it has ${value.keys.length} slots, limit is ${LIMITS.claimSlots}`;
    throw fieldError(place, "claims", "E_LIMIT_CLAIMS", found); // F-CLM-07
  }
  const claims = value.keys.map((slot) => readClaim(place, slot, value.get(slot), side, layout));
  if (side === "provider") refuseContested(place, claims);
  return claims.sort((a, b) => compareBytes(a.slot, b.slot));
}

/** C-DECL-09: one path cannot lead to two targets of one provider. */
function refuseContested(place: Place, claims: readonly Claim[]): void {
  const targets = new Map<string, SafePath | undefined>();
  for (const { slot, path, target } of claims) {
    if (path === undefined) continue;
    if (targets.has(path) && targets.get(path) !== target) {
      const found = `"/${path}" is declared with two targets, by slot "${slot}" and another`;
      throw fieldError(place, "claims", "CLAIM_PATH_CONTESTED", found);
    }
    targets.set(path, target);
  }
}

function readClaim(
  place: Place,
  slot: string,
  value: JsonValue | undefined,
  side: ClaimSide,
  layout: Layout,
): Claim {
  if (!isPackageName(slot)) { // F-CLM-01
    throw fieldError(place, "claims", "E_CLAIM_SLOT", `slot "${excerpt(slot, 80)}" is no package name`);
  }
  const at = `claims.${slot}`;
  if (!(value instanceof JsonObject)) throw fieldError(place, at, "E_CLAIM_SHAPE", "expected an object");
  const pathText = readText(place, at, value, "path");
  const targetText = readText(place, at, value, "target");
  if (side === "consumer" && (pathText === undefined || targetText !== undefined)) { // F-CLM-02
    throw fieldError(place, at, "E_CLAIM_SHAPE", `a dependency's claim has "path" and no "target"`);
  }
  if (side === "provider" && targetText === undefined) {
    throw fieldError(place, at, "E_CLAIM_SHAPE", `a provides entry's claim has "target"`);
  }
  const path = pathText === undefined ? undefined : toSafePath(place, `${at}.path`, pathText);
  if (path !== undefined && !isClaimDestination(path, layout)) { // F-CLM-05
    throw badPath(place, `${at}.path`, pathText ?? "", "it lies outside every permitted destination");
  }
  return { slot, path, target: targetText === undefined ? undefined : toSafePath(place, `${at}.target`, targetText) };
}

function readText(place: Place, at: string, claim: JsonObject, field: string): string | undefined {
  const value = claim.get(field);
  if (value === undefined || typeof value === "string") return value;
  throw fieldError(place, `${at}.${field}`, "E_CLAIM_SHAPE", "expected a string");
}

/** F-CLM-03 */
function toSafePath(place: Place, at: string, text: string): SafePath {
  const path = text.slice(1);
  if (text.startsWith("/") && isSafePath(path)) return path;
  throw badPath(place, at, text, "expected an absolute path of clean components");
}

function badPath(place: Place, at: string, text: string, found: string): PeipkgError {
  const shown = excerpt(text);
  return fieldError(place, at, "E_CLAIM_PATH", `it is "${shown}": ${found}`);
}
