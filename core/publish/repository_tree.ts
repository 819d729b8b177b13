/**
 * A repository being produced: a plain directory with the layout every consumer expects, read and written through
 * pinned handles. Every file is replaced whole, so that a server of the directory never hands out half of one.
 *
 * @see R-PROD-01, R-PROD-02, R-PROD-09
 */
import { PeipkgError, SystemCallError } from "../errors.ts";
import type { Layout } from "../format/destinations.ts";
import { writeEnvelope } from "../format/envelope.ts";
import { sha256 } from "../format/hash.ts";
import { JsonFields, writeDocument } from "../format/json_writer.ts";
import { readPublicKey, type SigningKey, writePublicKeyPem } from "../format/keys.ts";
import { relationFields } from "../format/manifest_writer.ts";
import { openOrCreateDirectory, readSmallFile, writeFileDurably } from "../fs/durable.ts";
import { formatPackageFileName } from "../identity/package_file_name.ts";
import { compareBytes } from "../identity/safe_path.ts";
import { type Descriptor, type DescriptorKey, parseDescriptor } from "../repository/descriptor.ts";
import { type Index, parseIndex, readEntryDetails } from "../repository/index.ts";
import { FETCH_LIMITS } from "../repository/transport.ts";
import { keyPath } from "../repository/urls.ts";
import type { Directory, ReadableFile, RootDirectory, Session } from "../system.ts";

/** What producing is given. */
export interface PublishContext {
  readonly session: Session;
  /** Destination profile packages are judged by. */
  readonly layout: Layout;
}

export type IndexKind = Index["kind"];
export type IndexEntry = Index["packages"] extends Iterable<infer Entry> ? Entry : never;

/** An index as published, its entries held. */
export interface PublishedIndex extends Omit<Index, "packages"> {
  readonly packages: readonly IndexEntry[];
}

/** One package as commands report it. */
export interface PublishedPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Path below the repository, without a leading slash. */
  readonly file: string;
  readonly sha256: string;
}

export const DESCRIPTOR_FILE = "repo.json";
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;
const INDEX_FILES: Readonly<Record<IndexKind, string>> = {
  active: "index/active.json",
  archive: "index/archive.json",
};

/** Path of an index file. */
export function indexFile(kind: IndexKind): string {
  return INDEX_FILES[kind];
}

/** Path of a package file (section 6). */
export function packageFile(name: string, version: string, architecture: string): string {
  return `p/${name}/${version}/${formatPackageFileName(name, version, architecture)}`;
}

/** A repository's directory. */
export class RepositoryTree implements Disposable {
  readonly #root: RootDirectory;

  /**
   * @throws {PeipkgError} `io`, `denied` when the directory cannot be opened
   */
  constructor(readonly context: PublishContext, readonly path: string) {
    try {
      this.#root = context.session.system.openRoot(path);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      const denied = error.errno === "EACCES" || error.errno === "EPERM";
      throw new PeipkgError(denied ? "denied" : "io", `cannot open repository "${path}": ${error.errno}`, {
        path,
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }

  /** A small file; `undefined`: absent. */
  read(path: string, limitBytes: number): Uint8Array | undefined {
    const [parent, name] = split(path);
    using directory = this.#root.openDirectory(parent);
    return directory === undefined ? undefined : readSmallFile(directory, name, limitBytes);
  }

  /** Opens a file of any size; `undefined`: absent. */
  open(path: string): ReadableFile | undefined {
    const [parent, name] = split(path);
    using directory = this.#root.openDirectory(parent);
    return directory?.status(name)?.type === "file" ? directory.openFile(name) : undefined;
  }

  /** Writes a file beside its place and renames it. */
  write(path: string, bytes: Uint8Array): void {
    const [parent, name] = split(path);
    using directory = openOrCreateDirectory(this.#root, parent, DIRECTORY_MODE);
    writeFileDurably(directory, name, bytes, FILE_MODE);
  }

  /** The directory of a path, created when missing, and the name in it. The caller disposes it. */
  place(path: string): { readonly directory: Directory; readonly name: string } {
    const [parent, name] = split(path);
    return { directory: openOrCreateDirectory(this.#root, parent, DIRECTORY_MODE), name };
  }

  /** Names in a directory, byte order; empty when it does not exist. */
  list(path: string): readonly string[] {
    using directory = this.#root.openDirectory(`/${path}`);
    return directory === undefined ? [] : [...directory.list().names].sort(compareBytes);
  }

  /** Every package file below `p/`. */
  *packageFiles(): Generator<string, void, undefined> {
    for (const name of this.list("p")) {
      for (const version of this.list(`p/${name}`)) {
        for (const file of this.list(`p/${name}/${version}`)) {
          if (file.endsWith(".peipkg")) yield `p/${name}/${version}/${file}`;
        }
      }
    }
  }

  /** Every file below a directory; links and what is neither file nor directory are left out. */
  *allFiles(path = ""): Generator<string, void, undefined> {
    using directory = this.#root.openDirectory(`/${path}`);
    for (const name of this.list(path)) {
      const type = directory?.status(name)?.type;
      const child = path === "" ? name : `${path}/${name}`;
      if (type === "dir") yield* this.allFiles(child);
      else if (type === "file") yield child;
    }
  }

  /** Removes everything in the directory: what is left of a repository that could not be finished. */
  clear(): void {
    using directory = this.#root.openDirectory("/");
    if (directory !== undefined) clearDirectory(directory);
  }

  /** @throws {PeipkgError} `io` when there is no repository here */
  descriptor(): Descriptor {
    return parseDescriptor(this.#required(DESCRIPTOR_FILE, FETCH_LIMITS.descriptorBytes));
  }

  /** One of the indexes as published last. */
  index(descriptor: Descriptor, kind: IndexKind): PublishedIndex {
    const index = parseIndex(this.#required(indexFile(kind), FETCH_LIMITS.indexBytes), {
      handle: descriptor.repositoryName,
      kind,
      repositoryName: descriptor.repositoryName,
      layout: this.context.layout,
    });
    return { ...index, packages: [...index.packages] };
  }

  /** The key file of a fingerprint; `undefined`: absent. */
  publicKey(fingerprint: string): Uint8Array | undefined {
    const file = this.read(keyPath(fingerprint).slice(1), FETCH_LIMITS.keyFileBytes);
    return file === undefined ? undefined : readPublicKey(file);
  }

  writeKey(fingerprint: string, publicKey: Uint8Array): void {
    this.write(keyPath(fingerprint).slice(1), new TextEncoder().encode(writePublicKeyPem(publicKey)));
  }

  /** Writes a document and its signature (form E). */
  async writeSigned(path: string, bytes: Uint8Array, key: SigningKey): Promise<void> {
    const signature = await signDocument(bytes, key);
    this.write(path, bytes);
    this.write(`${path}.sig`, signature);
  }

  /** Signs a document again as it stands. */
  async signAgain(path: string, key: SigningKey): Promise<void> {
    this.write(`${path}.sig`, await signDocument(this.#required(path, FETCH_LIMITS.indexBytes), key));
  }

  #required(path: string, limitBytes: number): Uint8Array {
    const bytes = this.read(path, limitBytes);
    if (bytes !== undefined) return bytes;
    throw new PeipkgError("io", `cannot read repository "${this.path}": ${path} is missing`, { path });
  }
}

function clearDirectory(directory: Directory): void {
  for (const name of directory.list().names) {
    if (directory.status(name)?.type !== "dir") {
      directory.unlink(name);
      continue;
    }
    using child = directory.openDirectory(name);
    if (child !== undefined) clearDirectory(child);
    directory.removeDirectory(name);
  }
}

function split(path: string): readonly [parent: string, name: string] {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? ["/", path] : [`/${path.slice(0, slash)}`, path.slice(slash + 1)];
}

/** The detached signature of a document, as its `.sig` file. */
async function signDocument(bytes: Uint8Array, key: SigningKey): Promise<Uint8Array> {
  return writeEnvelope({ fingerprint: key.fingerprint, signature: await key.sign(sha256(bytes)) });
}

/** The descriptor in canonical form; keys are put in order (R-DESC-05). */
export function writeDescriptor(descriptor: Descriptor): Uint8Array {
  const pointer = (kind: IndexKind) =>
    new JsonFields([["url", descriptor[kind].url], ["signature_url", descriptor[kind].signatureUrl]]);
  const keys = [...descriptor.keys].sort((a, b) => compareBytes(a.fingerprint, b.fingerprint));
  return writeDocument(
    new JsonFields([
      ["schema_version", 1],
      [
        "repo",
        new JsonFields([
          ["name", descriptor.repositoryName],
          ["description", descriptor.description === "" ? undefined : descriptor.description],
          ["signing", new JsonFields([["algorithm", "ed25519"], ["keys", keys.map(keyFields)]])],
        ]),
      ],
      ["indexes", new JsonFields([["active", pointer("active")], ["archive", pointer("archive")]])],
    ]),
  );
}

function keyFields(key: DescriptorKey): JsonFields {
  return new JsonFields([
    ["fingerprint", key.fingerprint],
    ["url", key.url],
    ["status", key.status],
    ["valid_until", key.validUntil],
  ]);
}

/** An index in canonical form (R-PROD-02); entries already in order. */
export function writeIndex(
  head: {
    readonly repositoryName: string;
    readonly kind: IndexKind;
    readonly indexVersion: number;
    readonly generatedAt: string;
  },
  entries: readonly IndexEntry[],
  layout: Layout,
): Uint8Array {
  return writeDocument(
    new JsonFields([
      ["schema_version", 1],
      ["repo", head.repositoryName],
      ["kind", head.kind],
      ["index_version", head.indexVersion],
      ["generated_at", head.generatedAt],
      ["packages", entries.map((entry) => entryFields(entry, layout))],
    ]),
  );
}

function entryFields(entry: IndexEntry, layout: Layout): JsonFields {
  const details = readEntryDetails(entry.entry, layout);
  const { build } = details;
  return new JsonFields([
    ["name", entry.name],
    ["version", entry.version],
    ["architecture", entry.architecture],
    ["description", entry.description],
    ["license", details.license],
    ["homepage", details.homepage],
    ...relationFields(details),
    ["side_effects", details.sideEffects],
    ["alternate_upgrade", details.alternateUpgrade === "" ? undefined : details.alternateUpgrade],
    ["size_compressed", entry.sizeCompressedBytes],
    ["size_installed", entry.sizeInstalledBytes],
    ["hash", new JsonFields([["algorithm", "sha256"], ["value", entry.hash]])],
    ["url", entry.url],
    [
      "build",
      build === undefined ? undefined : new JsonFields([["timestamp", build.timestamp], ["farm_id", build.farmId]]),
    ],
  ]);
}
