/** The files document: size and hash of every regular file of a payload (section 12). */
import { ruleError } from "../errors.ts";
import { compareBytes } from "../identity/safe_path.ts";
import {
  checkNewline,
  checkSchemaVersion,
  elementPlace,
  fieldError,
  type Place,
  readArray,
  readDocument,
  readInteger,
  readString,
} from "./document.ts";
import { JsonFields, writeDocument } from "./json_writer.ts";
import { LIMITS } from "./limits.ts";
import type { Warn } from "./manifest.ts";
import { type DocumentKind, JsonObject, shapeOf } from "./strict_json.ts";

/**
 * Rows in byte order of paths, as columns: a hundred thousand rows cost three arrays and no row objects. Paths are
 * as written; they become payload paths only by being equal to one.
 */
export interface FileList {
  readonly paths: readonly string[];
  readonly sizes: readonly number[];
  /** 64 lowercase hex digits each. */
  readonly hashes: readonly string[];
}

/** A file list and the fields read of it. */
export const FILE_LIST_DOCUMENT: DocumentKind = {
  document: "files",
  shape: shapeOf(["schema_version", "algorithm"], { entries: { elements: shapeOf(["path", "size", "hash"]) } }),
};
/** F-GEN-02 */
const HASH_REGEXP = /^[0-9a-f]{64}$/;

/**
 * Parses the files document.
 *
 * @throws {PeipkgError} `format` (section 4 rules, `E_SCHEMA_VERSION`, `E_FILES_ALGORITHM`, `E_FILES_ORDER`,
 *   `E_FILES_HASH_SYNTAX`, `E_LIMIT_METADATA`, `E_LIMIT_ENTRIES`)
 */
export function parseFileList(bytes: Uint8Array, warn?: Warn): FileList {
  if (bytes.length > LIMITS.filesDocumentBytes) {
    throw ruleError(
      "E_LIMIT_METADATA",
      `cannot read the files document: it has ${bytes.length} bytes, limit is ${LIMITS.filesDocumentBytes}`,
      FILE_LIST_DOCUMENT,
    );
  }
  const paths: string[] = [];
  const sizes: number[] = [];
  const hashes: string[] = [];
  const top: Place = {
    object: new JsonObject([], []),
    kind: FILE_LIST_DOCUMENT,
    parent: undefined,
    field: "",
    index: -1,
  };
  const place = readDocument(bytes, FILE_LIST_DOCUMENT, {
    field: "entries",
    visit(value, index) {
      const entry = elementPlace(top, "entries", value, index);
      if (index >= LIMITS.payloadEntries) {
        throw fieldError(entry, "path", "E_LIMIT_ENTRIES", `more than ${LIMITS.payloadEntries} files are listed`);
      }
      const path = readString(entry, "path");
      if (index > 0 && compareBytes(paths[index - 1] ?? "", path) >= 0) {
        throw fieldError(entry, "path", "E_FILES_ORDER", "paths are not in ascending byte order, each once");
      }
      const size = readInteger(entry, "size");
      const hash = readString(entry, "hash");
      if (hash.length !== 64 || !HASH_REGEXP.test(hash)) {
        throw fieldError(entry, "hash", "E_FILES_HASH_SYNTAX", "expected 64 lowercase hex digits");
      }
      paths.push(path);
      sizes.push(size);
      hashes.push(hash);
    },
  });
  checkSchemaVersion(place);
  if (readString(place, "algorithm") !== "sha256") {
    throw fieldError(place, "algorithm", "E_FILES_ALGORITHM", `expected "sha256"`);
  }
  readArray(place, "entries");
  checkNewline(bytes, "files", warn);
  return { paths, sizes, hashes };
}

/** Writes the files document; rows must already be in order (F-PRO-04, F-PRO-06). */
export function writeFileList(list: FileList): Uint8Array<ArrayBuffer> {
  const entries = list.paths.map((path, at) =>
    new JsonFields([["path", path], ["size", list.sizes[at]], ["hash", list.hashes[at]]])
  );
  return writeDocument(new JsonFields([["schema_version", 1], ["algorithm", "sha256"], ["entries", entries]]));
}
