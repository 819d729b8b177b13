import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { layOut, pack } from "../../.build/executable.ts";
import { permissionFile, permissionFlags } from "../../.build/permissions.ts";
import { loaderOf, RUNTIMES, sha256, TARGETS } from "../../.build/runtime.ts";
import { renderSbom } from "../../.build/sbom.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);
const encoder = new TextEncoder();

/** The first bytes of an ELF file that names a loader, and nothing else. */
function elfWithLoader(loader: string): Uint8Array {
  const elf = new Uint8Array(120 + loader.length + 1);
  const view = new DataView(elf.buffer);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 3, true);
  view.setBigUint64(72, 120n, true);
  view.setBigUint64(96, BigInt(loader.length + 1), true);
  elf.set(encoder.encode(loader), 120);
  return elf;
}

function parts(program: string) {
  return {
    title: "peipkg 0.1.0 x86_64 (commit none)",
    runtime: elfWithLoader("/lib/ld.so"),
    program: [{ name: "main.js", content: encoder.encode(program) }],
    permissions: ["--allow-read"],
    head: "#!/bin/sh\n# @TITLE@\n# @PERMISSIONS@\n@PROGRAM_START@ @PROGRAM_SIZE@ @RUNTIME_START@\n" +
      "@TREE@ @LOADER@ '@UNPACKER@' @RUNTIME_HASH@ @PROGRAM_HASH@\n",
    unpacker: "unpack()",
  };
}

Deno.test("layOut() gives the offsets at which program and runtime are found", () => {
  const input = parts("console.log(1)");
  const file = layOut(input, pack(input.runtime));
  const head = new TextDecoder().decode(file.subarray(0, 600));
  const [, start = "", size = "", runtime = ""] = /^(\d+) +(\d+) (\d+) *$/m.exec(head) ?? [];
  const program = gunzipSync(file.subarray(Number(start) - 1, Number(start) - 1 + Number(size)));
  assert.equal(new TextDecoder().decode(program), '[["main.js",14]]\nconsole.log(1)');
  assert.deepEqual(new Uint8Array(gunzipSync(file.subarray(Number(runtime) - 1))), input.runtime);
  assert.match(head, /^[0-9a-f]{64} \/lib\/ld\.so 'unpack\(\)' [0-9a-f]{64} [0-9a-f]{64}$/m);
});

Deno.test("layOut() gives equal bytes for equal input, and another tree name for another program", () => {
  const [first, again, other] = ["a", "a", "b"].map((program) => {
    const input = parts(program);
    return layOut(input, pack(input.runtime));
  });
  assert.deepEqual(first, again);
  const tree = (file: Uint8Array | undefined): string | undefined =>
    /^([0-9a-f]{64}) /m.exec(new TextDecoder().decode(file?.subarray(0, 600)))?.[1];
  assert.notEqual(tree(first), tree(other));
});

Deno.test("layOut() refuses an unpacker that would end the quotes it stands in", () => {
  const input = { ...parts("a"), unpacker: "it's" };
  assert.throws(() => layOut(input, pack(input.runtime)), /single quotes/);
});

Deno.test("pack() leaves no time and no name in the gzip header", () => {
  const packed = pack(encoder.encode("text"));
  assert.deepEqual([...packed.subarray(3, 8)], [0, 0, 0, 0, 0]);
});

Deno.test("loaderOf() reads the interpreter of the running runtime", async () => {
  const file = await Deno.readFile(Deno.execPath());
  assert.match(loaderOf(file), /^\/.*\/ld-linux[\w.-]*$/);
});

Deno.test("unpack.js and head.sh fit together", async () => {
  const [head, unpacker] = await Promise.all(
    ["head.sh", "unpack.js"].map((name) => Deno.readTextFile(`${HOME}/.build/${name}`)),
  );
  const input = { ...parts("a"), head: head ?? "", unpacker: unpacker ?? "" };
  const text = new TextDecoder().decode(layOut(input, pack(input.runtime)));
  assert.equal(text.startsWith("#!/bin/sh\n"), true);
  assert.equal(/@[A-Z_]+@/.test(text), false);
});

Deno.test("permissionFlags() and permissionFile() say what deno.json says", () => {
  const project = { permissions: { peipkg: { read: true, net: false, run: ["/a", "/b"] }, other: { ffi: true } } };
  assert.deepEqual(permissionFlags(project), ["--allow-read", "--allow-run=/a,/b"]);
  assert.deepEqual(JSON.parse(permissionFile(project)), {
    permissions: { peipkg: { read: true, net: false, run: ["/a", "/b"] } },
  });
  assert.throws(() => permissionFlags({}), /no permission list/);
});

Deno.test("RUNTIMES pins tarball and binary of both targets", () => {
  for (const target of TARGETS) {
    assert.match(RUNTIMES[target].integrity, /^sha512-[A-Za-z0-9+/]{86}==$/);
    assert.match(RUNTIMES[target].sha256, /^[0-9a-f]{64}$/);
    assert.equal(RUNTIMES[target].triple, `${target}-unknown-linux-gnu`);
  }
});

Deno.test("renderSbom() names runtime and libraries and has no clock in it", () => {
  const input = {
    version: "0.1.0",
    commit: "c".repeat(40),
    target: "x86_64",
    timestamp: "2026-01-02T03:04:05Z",
    sha256: sha256(encoder.encode("executable")),
    runtime: RUNTIMES.x86_64,
    packages: [{ name: "@scope/lib", version: "1.2.3", directory: "/nowhere", license: "ISC" }],
  };
  assert.equal(renderSbom(input), renderSbom(input));
  const document = JSON.parse(renderSbom(input));
  assert.deepEqual(document.components.map((component: { purl: string }) => component.purl), [
    `pkg:npm/%40deno/linux-x64-glibc@${RUNTIMES.x86_64.version}`,
    "pkg:npm/%40scope/lib@1.2.3",
  ]);
  assert.equal(document.components[0].hashes[0].content.length, 128);
  assert.equal(JSON.stringify(document).includes("/nowhere"), false);
});
