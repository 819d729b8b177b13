/** The repository descriptor: its identity, keys and index locations (R-DESC-01 … R-DESC-10). */
import { type ErrorRule, ruleError } from "../errors.ts";
import {
  checkSchemaVersion,
  elementPlace,
  type Place,
  readArray,
  readDocument,
  readObject,
  readOptionalString,
  readString,
} from "../format/document.ts";
import { type DocumentKind, shapeOf } from "../format/strict_json.ts";
import { type Fingerprint, parseFingerprint } from "../identity/fingerprint.ts";
import { parseTimestamp } from "../identity/timestamp.ts";
import type { KeyStatus } from "../store/repository_state.ts";

/** Where one index and its signature are; URL references as written. */
export interface IndexPointer {
  readonly url: string;
  readonly signatureUrl: string;
}

export interface DescriptorKey {
  readonly fingerprint: Fingerprint;
  /** URL reference as written. */
  readonly url: string;
  readonly status: KeyStatus;
  /** As signed; only of a transitioning key. */
  readonly validUntil: string | undefined;
}

export interface Descriptor {
  readonly repositoryName: string;
  /** Empty when absent. */
  readonly description: string;
  /** Ascending by fingerprint, no repeats, at least one active. */
  readonly keys: readonly DescriptorKey[];
  readonly active: IndexPointer;
  readonly archive: IndexPointer;
}

const POINTER = shapeOf(["url", "signature_url"]);

/** A descriptor and the fields read of it. */
export const DESCRIPTOR_DOCUMENT: DocumentKind = {
  document: "descriptor",
  syntaxRule: "E_DESC_JSON",
  fieldRule: "E_DESC_FIELD",
  integerRule: "E_DESC_FIELD",
  shape: shapeOf(["schema_version"], {
    repo: shapeOf(["name", "description"], {
      signing: shapeOf(["algorithm"], {
        keys: { elements: shapeOf(["fingerprint", "url", "status", "valid_until"]) },
      }),
    }),
    indexes: shapeOf([], { active: POINTER, archive: POINTER }),
  }),
};
const STATUSES: readonly KeyStatus[] = ["active", "transitioning", "revoked"];

/**
 * Parses a descriptor whose signature has been, or will be, verified over the same bytes.
 *
 * @throws {PeipkgError} `format` (`E_DESC_JSON`, `E_DESC_FIELD`, `E_DESC_KEY_ORDER`, `E_DESC_KEY_DUPLICATE`,
 * `E_DESC_NO_ACTIVE_KEY`, `E_FINGERPRINT`, `E_KEY_STATUS`, `E_KEY_VALID_UNTIL`, `E_SCHEMA_VERSION`, `E_ALGORITHM`)
 */
export function parseDescriptor(bytes: Uint8Array): Descriptor {
  const place = readDocument(bytes, DESCRIPTOR_DOCUMENT);
  checkSchemaVersion(place); // R-DESC-03
  const repo = readObject(place, "repo");
  const signing = readObject(repo, "signing");
  const algorithm = readString(signing, "algorithm");
  if (algorithm !== "ed25519") {
    throw descriptorError("E_ALGORITHM", `signature algorithm is "${algorithm}", expected "ed25519"`);
  }
  const indexes = readObject(place, "indexes");
  return {
    repositoryName: readFilled(repo, "name"),
    description: readOptionalString(repo, "description") ?? "",
    keys: readKeys(signing),
    active: readPointer(indexes, "active"),
    archive: readPointer(indexes, "archive"), // R-DESC-09: also when the archive is empty
  };
}

function readKeys(signing: Place): readonly DescriptorKey[] {
  const keys = readArray(signing, "keys").map((value, index) => readKey(elementPlace(signing, "keys", value, index)));
  for (const [index, key] of keys.entries()) {
    const previous = keys[index - 1]?.fingerprint;
    if (previous === undefined || previous < key.fingerprint) continue;
    if (previous === key.fingerprint) throw descriptorError("E_DESC_KEY_DUPLICATE", `key ${previous} is listed twice`);
    throw descriptorError("E_DESC_KEY_ORDER", `key ${key.fingerprint} follows ${previous}, expected ascending order`);
  }
  if (!keys.some((key) => key.status === "active")) { // R-DESC-04
    throw descriptorError("E_DESC_NO_ACTIVE_KEY", "no key is active");
  }
  return keys;
}

function readKey(place: Place): DescriptorKey {
  const fingerprint = parseFingerprint(readString(place, "fingerprint")); // R-DESC-06
  const url = readFilled(place, "url");
  const text = readString(place, "status");
  const status = STATUSES.find((word) => word === text);
  if (status === undefined) throw descriptorError("E_KEY_STATUS", `status of key ${fingerprint} is "${text}"`);
  // R-DESC-08: on other statuses the field is ignored, even when malformed.
  if (status !== "transitioning") return { fingerprint, url, status, validUntil: undefined };
  const validUntil = place.object.get("valid_until");
  if (typeof validUntil !== "string" || parseTimestamp(validUntil) === undefined) {
    throw descriptorError("E_KEY_VALID_UNTIL", `transitioning key ${fingerprint} has no valid "valid_until"`);
  }
  return { fingerprint, url, status, validUntil };
}

function readPointer(indexes: Place, field: string): IndexPointer {
  const place = readObject(indexes, field);
  return { url: readFilled(place, "url"), signatureUrl: readFilled(place, "signature_url") };
}

function readFilled(place: Place, field: string): string {
  const text = readString(place, field);
  if (text === "") throw descriptorError("E_DESC_FIELD", `"${field}" is empty`);
  return text;
}

function descriptorError(rule: ErrorRule, found: string) {
  return ruleError(rule, `cannot read the descriptor: ${found}`, { document: "descriptor" });
}
