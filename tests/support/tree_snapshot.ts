/** Writes, describes and compares whole trees, whatever implements them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readSmallFile } from "../../core/fs/durable.ts";
import { joinPath } from "../../core/fs/names.ts";
import type { Directory, RootDirectory } from "../../core/system.ts";

/** What a test lets a tree hold: text or bytes, a link, or (with a trailing `/` in the path) a directory. */
export type TreeContent =
  | string
  | Uint8Array
  | { readonly link: string }
  | { readonly mode?: number; readonly text?: string };

/** Creates files (`0644` unless said), links and directories (`0755`), parents included. */
export function writeTree(root: RootDirectory, contents: Readonly<Record<string, TreeContent>>): void {
  for (const [path, content] of Object.entries(contents)) {
    const plain = path.endsWith("/") ? path.slice(0, -1) : path;
    const end = plain.lastIndexOf("/");
    using parent = openForTest(root, plain.slice(0, end) || "/");
    writeEntry(parent, plain.slice(end + 1), content, path.endsWith("/"));
  }
}

function openForTest(root: RootDirectory, path: string): Directory {
  const existing = root.openDirectory(path);
  if (existing !== undefined) return existing;
  const end = path.lastIndexOf("/");
  using parent = openForTest(root, path.slice(0, end) || "/");
  parent.makeDirectory(path.slice(end + 1), 0o755);
  return openForTest(root, path);
}

function writeEntry(parent: Directory, name: string, content: TreeContent, isDirectory: boolean): void {
  const options = typeof content === "string" || content instanceof Uint8Array || "link" in content ? {} : content;
  if (isDirectory) {
    if (parent.status(name) === undefined) parent.makeDirectory(name, options.mode ?? 0o755);
    else if (options.mode !== undefined) parent.changeMode(name, options.mode);
    return;
  }
  if (typeof content === "object" && "link" in content) return parent.makeSymlink(name, content.link);
  using file = parent.createFile(name, options.mode ?? 0o644);
  if (content instanceof Uint8Array) file.write(content);
  else file.write(new TextEncoder().encode(typeof content === "string" ? content : options.text ?? ""));
}

export interface SnapshotOptions {
  /** Include modification times of files and links. */
  readonly times?: boolean;
  /** Include inode numbers, to show that an object is the very same one. */
  readonly inodes?: boolean;
  /** Paths left out together with what is below them. */
  readonly except?: readonly string[];
}

/**
 * Describes every object below a directory: one line of type, mode, owner, links and content (or target) per path,
 * in path order. Names of one inode carry the first of them.
 */
export function snapshotTree(root: RootDirectory, options: SnapshotOptions = {}, from = "/"): Record<string, string> {
  const lines: Record<string, string> = {};
  const firstNames = new Map<bigint, string>();
  using directory = root.openDirectory(from);
  if (directory === undefined) return lines;
  describeChildren(directory, options, firstNames, lines);
  return lines;
}

function describeChildren(
  directory: Directory,
  options: SnapshotOptions,
  firstNames: Map<bigint, string>,
  lines: Record<string, string>,
): void {
  for (const name of [...directory.list().names].sort()) {
    const path = joinPath(directory.path, name);
    if (options.except?.includes(path)) continue;
    const status = directory.status(name);
    if (status === undefined) continue;
    const facts = [status.type, status.mode.toString(8).padStart(4, "0"), `${status.uid}:${status.gid}`];
    if (options.inodes) facts.push(`inode ${status.inode}`);
    if (options.times && status.type !== "dir") facts.push(`mtime ${status.mtime}`);
    if (status.type !== "dir") facts.push(...linkFacts(status.links, firstNames, status.inode, path));
    if (status.type === "file") facts.push(contentText(directory, name));
    if (status.type === "symlink") facts.push(`-> ${directory.readLink(name)}`);
    lines[path] = facts.join(" ");
    if (status.type !== "dir") continue;
    using child = directory.openDirectory(name);
    if (child !== undefined) describeChildren(child, options, firstNames, lines);
  }
}

function linkFacts(links: number, firstNames: Map<bigint, string>, inode: bigint, path: string): string[] {
  if (links === 1) return [];
  const first = firstNames.get(inode) ?? path;
  firstNames.set(inode, first);
  return [`links ${links} first ${first}`];
}

function contentText(directory: Directory, name: string): string {
  const bytes = readSmallFile(directory, name, 1 << 30) ?? new Uint8Array();
  const text = new TextDecoder().decode(bytes);
  if (bytes.length <= 200 && new TextEncoder().encode(text).every((byte, index) => byte === bytes[index])) {
    return JSON.stringify(text);
  }
  return `${bytes.length} bytes sha256 ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Fails with the paths that differ. */
export function assertSameTree(
  actual: Readonly<Record<string, string>>,
  expected: Readonly<Record<string, string>>,
  message?: string,
): void {
  assert.deepEqual(actual, expected, message);
}
