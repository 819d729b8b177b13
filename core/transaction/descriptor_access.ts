/**
 * Reading and setting the security descriptors of objects below pinned directories: through the kernel where it has
 * the access-control system, else in the attribute a kernel that has it will honour (A-SDA-04, A-SDA-31).
 */
import { COMPONENT, describedComponents } from "../format/descriptor_reader.ts";
import type { JournalDirectory } from "../store/journal.ts";
import type { Directory, WritableFile } from "../system.ts";
import type { DirectoryPool } from "./directories.ts";
import type { Durability } from "./durability.ts";
import { asFailure, hasErrno } from "./failures.ts";
import type { SecurityChange } from "./file_operation.ts";
import { baseName, parentPath } from "./names.ts";

const SECURITY_ATTRIBUTE = "security.peios.sd";
const PRIVATE_MODE = 0o600;

/** A journal row about a descriptor. */
export type SecurityRow = Extract<JournalDirectory, { readonly action: "set-sd" }>;

/** The pinned directory and the name in it; no name: the directory itself. */
interface Place {
  readonly directory: Directory;
  readonly name: string | undefined;
}

/**
 * Journal rows of descriptors that will be set: what each object has now is read here, as late as possible (A-SDA-12).
 *
 * @throws {PeipkgError} `denied` (`SD_APPLY_FAILED`) for one that cannot be read: it could not be put back
 */
export function securityRows(pool: DirectoryPool, changes: readonly SecurityChange[]): readonly SecurityRow[] {
  return changes.map(({ path, type, descriptor }) => {
    const place = type === "dir"
      ? { directory: pool.need(path), name: undefined }
      : { directory: pool.need(parentPath(path)), name: baseName(path) };
    try {
      return { path, action: "set-sd", old: readOld(place, descriptor), descriptor };
    } catch (error) {
      throw asFailure(error, "read the security descriptor of", path, "SD_APPLY_FAILED");
    }
  });
}

function readOld({ directory, name }: Place, declared: Uint8Array): Uint8Array {
  if (!directory.hasKacs) return directory.readAttribute(name, SECURITY_ATTRIBUTE) ?? new Uint8Array();
  const ordinary = COMPONENT.owner | COMPONENT.group | COMPONENT.dacl;
  return directory.readSecurity(name, ordinary | (describedComponents(declared) & COMPONENT.sacl));
}

/**
 * Sets the descriptors of objects that stay.
 *
 * @throws {PeipkgError} `denied` (`SD_APPLY_FAILED`), whatever the cause (FP-21, A-SDA-15)
 */
export function setDescriptors(
  pool: DirectoryPool,
  durability: Durability,
  changes: readonly SecurityChange[],
  type: "file" | "dir",
): void {
  for (const change of changes) {
    if (change.type !== type) continue;
    const { path, descriptor } = change;
    try {
      const place = type === "dir"
        ? { directory: pool.need(path), name: undefined }
        : { directory: pool.need(parentPath(path)), name: baseName(path) };
      // A-SDA-13: exactly the components it brings.
      write(place, describedComponents(descriptor), descriptor);
      settleObject(place, durability);
    } catch (error) {
      throw asFailure(error, "set the security descriptor of", path, "SD_APPLY_FAILED");
    }
  }
}

/** Puts back what an object had: the components that were changed, and no others; an object that is gone needs none. */
export function restoreDescriptors(pool: DirectoryPool, durability: Durability, row: SecurityRow): void {
  const place = findPlace(pool, row.path);
  // One that was never set needs no writing: whoever may not set it may not put it back either.
  if (place === undefined || isAsBefore(place, row)) return;
  durability.prepare(place.directory);
  write(place, describedComponents(row.descriptor), row.old);
  settleObject(place, durability);
}

function isAsBefore(place: Place, { old, descriptor }: SecurityRow): boolean {
  const now = readOld(place, descriptor);
  return now.length === old.length && now.every((byte, index) => byte === old[index]);
}

function findPlace(pool: DirectoryPool, path: string): Place | undefined {
  const parent = pool.open(parentPath(path));
  if (path === "/") return parent === undefined ? undefined : { directory: parent, name: undefined };
  const found = parent?.status(baseName(path));
  if (parent === undefined || found === undefined) return undefined;
  if (found.type === "file") return { directory: parent, name: baseName(path) };
  const directory = found.type === "dir" ? pool.open(path) : undefined;
  return directory === undefined ? undefined : { directory, name: undefined };
}

function write({ directory, name }: Place, components: number, descriptor: Uint8Array): void {
  if (directory.hasKacs) directory.writeSecurity(name, components, descriptor);
  else directory.writeAttribute(name, SECURITY_ATTRIBUTE, descriptor.length === 0 ? undefined : descriptor);
}

function settleObject({ directory, name }: Place, durability: Durability): void {
  durability.touch(directory);
  if (name === undefined || !durability.needsFileSync(directory)) return;
  using file = directory.appendFile(name, PRIVATE_MODE);
  file.sync();
}

/** Creates a staged file that carries its descriptor before its first byte (A-SDA-11, A-SDA-31). */
export function createWithDescriptor(directory: Directory, name: string, descriptor: Uint8Array): WritableFile {
  if (directory.hasKacs) return directory.createSecuredFile(name, descriptor);
  const file = directory.createFile(name, PRIVATE_MODE);
  try {
    directory.writeAttribute(name, SECURITY_ATTRIBUTE, descriptor);
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** Makes a directory that carries its descriptor (A-SDA-12, A-SDA-31). */
export function makeWithDescriptor(directory: Directory, name: string, mode: number, descriptor: Uint8Array): void {
  if (directory.hasKacs) return directory.makeSecuredDirectory(name, descriptor);
  directory.makeDirectory(name, mode);
  directory.writeAttribute(name, SECURITY_ATTRIBUTE, descriptor);
}

/** The failure of making an object with a descriptor; what any creation can meet keeps its own rule (FP-25). */
export function descriptorFailure(error: unknown, path: string): unknown {
  const isOrdinary = hasErrno(error, "ENOSPC", "EDQUOT", "EIO", "EMFILE", "ENFILE");
  return asFailure(error, "set the security descriptor of", path, isOrdinary ? undefined : "SD_APPLY_FAILED");
}
