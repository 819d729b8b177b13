/** `peipkg shlib`, and the library patterns of `query`, on files made for it. */
import assert from "node:assert/strict";
import { elfOf } from "../support/elf_writer.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";

const DIRECTORY = "usr/lib/x86_64-linux-peios";
const ZLIB: PackageSpec = {
  name: "zlib",
  version: "1.3-1",
  architecture: "x86_64",
  sideEffects: ["ldconfig"],
  files: {
    [`${DIRECTORY}/libz.so.1.3`]: elfOf({ soname: "libz.so.1", needed: ["libc.so.6"] }),
    [`${DIRECTORY}/libz.so.1`]: { link: "libz.so.1.3" },
    [`${DIRECTORY}/libnameless.so`]: elfOf({ needed: ["libz.so.1"] }),
    [`${DIRECTORY}/broken.so`]: elfOf({ soname: "libbroken.so.1", stringShift: 1 << 30 }),
    "usr/share/zlib/decoy.so.1": elfOf({ soname: "libdecoy.so.1" }),
  },
};
const TOOL: PackageSpec = {
  name: "tool",
  version: "2.0-1",
  architecture: "x86_64",
  files: {
    "usr/bin/tool": elfOf({ needed: ["/opt/lib/libz.so.1", "libgone.so.2"], type: 2 }),
    "usr/bin/script": "#!/bin/sh\n".repeat(20),
  },
};

Deno.test("libraries are found by name, and what nothing provides is told", async (t) => {
  await using world = await World.create();
  const options = ["-o", "architecture=x86_64"];
  const expect = (args: readonly string[], status = 0) => world.expect([...options, ...args], status);
  await expect(["install", await world.pack(ZLIB), await world.pack(TOOL), "--yes"]);

  await t.step("C-SHLIB-01: both sides of a library; directories before its name are ignored", async () => {
    const text = "libz.so.1 is provided by:\n  zlib 1.3-1\nlibz.so.1 is required by:\n  tool 2.0-1\n  zlib 1.3-1\n";
    assert.equal((await expect(["shlib", "libz.so.1"])).stdout, text);
    assert.equal((await expect(["shlib", "/usr/lib/libz.so.1"])).stdout, text);
    assert.equal((await expect(["shlib", "-q", "--provides", "libz.so.1"])).stdout, "  zlib 1.3-1\n");
    assert.equal((await expect(["shlib", "--requires", "libgone.so.2", "-q"])).stdout, "  tool 2.0-1\n");
    assert.equal((await expect(["shlib", "-q", "--provides", "libnameless.so"])).stdout, "  zlib 1.3-1\n");
    assert.deepEqual(JSON.parse((await expect(["shlib", "--json", "libgone.so.2"])).stdout), {
      library: "libgone.so.2",
      provides: [],
      requires: [{ name: "tool", version: "2.0-1" }],
    });
  });

  await t.step("C-SHLIB-01: an unknown library, a damaged file's and one outside library trees: exit 1", async () => {
    for (const name of ["libnone.so", "libbroken.so.1", "libdecoy.so.1"]) {
      assert.match(
        (await expect(["shlib", name], 1)).stderr,
        /no installed package provides or requires a library named/,
      );
    }
    assert.match((await expect(["shlib"], 2)).stderr, /exactly one library, or --missing/);
    assert.match((await expect(["shlib", "--missing", "x"], 2)).stderr, /exactly one library, or --missing/);
  });

  await t.step("C-SHLIB-01: --missing lists needs nothing installed provides, exit 1", async () => {
    const { stdout } = await expect(["shlib", "--missing"], 1);
    assert.equal(
      stdout,
      "libc.so.6 is required by:\n  zlib 1.3-1\nlibgone.so.2 is required by:\n  tool 2.0-1\n",
    );
  });

  await t.step("C-QUERY-01: %b and %B", async () => {
    assert.equal(
      (await expect(["query", "%n %{b|,} %{B|,}"])).stdout,
      "tool  libgone.so.2,libz.so.1\nzlib libnameless.so,libz.so.1 libc.so.6,libz.so.1\n",
    );
  });

  await t.step("C-SHLIB-01: files are read at each call", async () => {
    Deno.writeFileSync(`${world.root}/usr/bin/tool`, elfOf({ needed: ["libz.so.1"], type: 2 }));
    assert.match((await expect(["shlib", "libgone.so.2"], 1)).stderr, /no installed package/);
    Deno.removeSync(`${world.root}/usr/bin/tool`);
    Deno.symlinkSync("/bin/ls", `${world.root}/usr/bin/tool`);
    assert.equal((await expect(["query", "%n %{B|,}", "tool"])).stdout, "tool\n");
  });
});
