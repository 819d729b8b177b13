/** What an inventory says, before it is written in one of its formats. */
import { sha256Hex } from "../format/hash.ts";

/** One package as the writers of both formats need it. */
export interface InventoryItem {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly description: string;
  readonly license: string;
  /** What the licence text is. */
  readonly licenseKind: "identifier" | "expression" | "text";
  readonly homepage: string;
  /** Repository handle; `undefined`: a local file. */
  readonly origin: string | undefined;
  /** SHA-256 of the package file. */
  readonly packageHash: string;
  readonly purl: string;
  /** Names of packages of the inventory that its dependencies are met by. */
  readonly dependencies: readonly string[];
  /** Whether it was asked for, and is not only part of a closure. */
  readonly isNamed: boolean;
  readonly files: readonly { readonly path: string; readonly hash: string }[];
}

export interface Inventory {
  /** RFC 3339. */
  readonly created: string;
  /** Version of this program. */
  readonly tool: string;
  readonly items: readonly InventoryItem[];
}

/** An identifier in the form of a UUID (version 8: made of a digest) for whatever a text says. */
export function contentUuid(text: string): string {
  const digest = sha256Hex(new TextEncoder().encode(text));
  const variant = "89ab"[Number.parseInt(digest.slice(16, 17), 16) % 4] ?? "8";
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `8${digest.slice(13, 16)}`,
    `${variant}${digest.slice(17, 20)}`,
    digest.slice(20, 32),
  ].join("-");
}
