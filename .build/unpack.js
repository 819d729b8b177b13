// Second half of the first start (see head.sh): takes the program out of the executable, checks every hash,
// and puts runtime and program in place under a name that tells their content. The exit status says whether the tree is
// in place; what is printed becomes the reason why not. Several may run at once.
import * as fs from "node:fs";
import { createHash, randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";

const [self, start, size, base, tree, temporary, runtimeHash, programHash] = Deno.args;
const HOUR = 3600e3;
const target = `${base}/${tree}`;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

function hashOf(path) {
  const file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  const hash = createHash("sha256");
  const buffer = new Uint8Array(1 << 20);
  for (let count; (count = fs.readSync(file, buffer)) > 0;) hash.update(buffer.subarray(0, count));
  fs.closeSync(file);
  return hash.digest("hex");
}

function readProgram() {
  const file = fs.openSync(self, "r");
  const packed = new Uint8Array(Number(size));
  let read = 0;
  while (read < packed.length) {
    const count = fs.readSync(file, packed, read, packed.length - read, Number(start) - 1 + read);
    if (count === 0) throw new Error("the executable is cut short");
    read += count;
  }
  const bytes = gunzipSync(packed);
  if (sha256(bytes) !== programHash) throw new Error("the program in the executable is damaged");
  const end = bytes.indexOf(10);
  let offset = end + 1;
  return JSON.parse(bytes.subarray(0, end).toString()).map(([name, length]) => {
    const content = bytes.subarray(offset, offset + length);
    offset += length;
    return { name, content };
  });
}

function makeDirectory(path, mode) {
  if (fs.existsSync(path)) return;
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  makeDirectory(parent, 0o755);
  try {
    fs.mkdirSync(path, mode);
    fs.chmodSync(path, mode);
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
}

function checkBase() {
  const status = fs.lstatSync(base);
  if (!status.isDirectory() || status.uid !== Deno.uid() || (status.mode & 0o022) !== 0) {
    throw new Error(`${base} is not a directory of yours that only you may write to`);
  }
}

function write(path, content, mode) {
  const file = fs.openSync(path, "wx", mode);
  fs.writeFileSync(file, content);
  fs.fchmodSync(file, mode);
  fs.fsyncSync(file);
  fs.closeSync(file);
}

function syncDirectory(path) {
  const file = fs.openSync(path, "r");
  fs.fsyncSync(file);
  fs.closeSync(file);
}

function stage(files) {
  const staged = `${base}/.unpack-${randomBytes(8).toString("hex")}`;
  fs.mkdirSync(staged, 0o700);
  fs.mkdirSync(`${staged}/program`, 0o700);
  try {
    fs.renameSync(temporary, `${staged}/deno`);
  } catch (error) {
    if (error.code !== "EXDEV") throw error;
    fs.copyFileSync(temporary, `${staged}/deno`, fs.constants.COPYFILE_EXCL);
  }
  fs.chmodSync(`${staged}/deno`, 0o500);
  if (hashOf(`${staged}/deno`) !== runtimeHash) throw new Error("the runtime in the executable is damaged");
  const runtime = fs.openSync(`${staged}/deno`, "r");
  fs.fsyncSync(runtime);
  fs.closeSync(runtime);
  for (const { name, content } of files) write(`${staged}/program/${name}`, content, 0o400);
  for (const path of [staged, `${staged}/program`]) {
    fs.chmodSync(path, 0o700);
    syncDirectory(path);
  }
  return staged;
}

function isIntact(path, files) {
  try {
    const entries = [path, `${path}/deno`, `${path}/program`, ...files.map(({ name }) => `${path}/program/${name}`)];
    for (const entry of entries) {
      const status = fs.lstatSync(entry);
      if (status.isSymbolicLink() || status.uid !== Deno.uid() || (status.mode & 0o077) !== 0) return false;
    }
    return fs.readdirSync(`${path}/program`).length === files.length && hashOf(`${path}/deno`) === runtimeHash &&
      files.every(({ name, content }) => hashOf(`${path}/program/${name}`) === sha256(content));
  } catch {
    return false;
  }
}

/** Puts the staged tree in place, unless another start has done so; a damaged tree makes room. */
function place(staged, files) {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      fs.renameSync(staged, target);
      return;
    } catch (error) {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST" && error.code !== "ENOTDIR") throw error;
    }
    if (isIntact(target, files)) {
      fs.rmSync(staged, { recursive: true });
      return;
    }
    const broken = `${base}/.broken-${randomBytes(8).toString("hex")}`;
    fs.renameSync(target, broken);
    fs.rmSync(broken, { recursive: true, force: true });
  }
  throw new Error(`${target} is being changed by somebody else`);
}

/** Owner, mode, inode, size and times as `stat -c %u:%a:%i:%s:%Y:%Z` prints them. */
function stampLine(path) {
  const status = fs.lstatSync(path, { bigint: true });
  const mode = (status.mode & 0o7777n).toString(8);
  const seconds = (time) => time / 1000000000n;
  return [status.uid, mode, status.ino, status.size, seconds(status.mtimeNs), seconds(status.ctimeNs)].join(":");
}

function writeStamp() {
  const lines = [target, `${target}/deno`, `${target}/program`].map(stampLine);
  const path = `${base}/.unpack-${randomBytes(8).toString("hex")}`;
  write(path, lines.join("\n") + "\n", 0o600);
  fs.renameSync(path, `${target}.stamp`);
  syncDirectory(base);
}

/** Leftovers of killed starts, and trees of other versions that are a month old. */
function sweep() {
  const parent = temporary.slice(0, temporary.lastIndexOf("/")) || "/";
  for (const directory of [parent, base]) {
    for (const name of fs.readdirSync(directory)) {
      const path = `${directory}/${name}`;
      const isTree = directory === base && /^[0-9a-f]{64}(\.stamp)?$/.test(name) && !name.startsWith(tree);
      if (!isTree && !/^\.(peipkg-unpack|unpack|broken)-/.test(name)) continue;
      const status = fs.lstatSync(path, { throwIfNoEntry: false });
      if (status === undefined || status.uid !== Deno.uid()) continue;
      if (Date.now() - status.mtimeMs > (isTree ? 30 * 24 : 1) * HOUR) {
        fs.rmSync(path, { recursive: true, force: true });
      }
    }
  }
}

try {
  const files = readProgram();
  makeDirectory(base, 0o700);
  checkBase();
  makeDirectory(`${base}/deno-dir`, 0o700);
  place(stage(files), files);
  writeStamp();
} catch (error) {
  console.log(error.message);
  Deno.exit(1);
}
try {
  sweep();
} catch {
  // Untidy is no reason to refuse to start.
}
