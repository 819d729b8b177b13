/** `peipkg sbom`: the inventory in both formats, byte for byte the same for the same input. */
import assert from "node:assert/strict";
import { run } from "../support/cli.ts";
import { type PackageSpec, World } from "../support/e2e_world.ts";

const LIBRARY: PackageSpec = {
  name: "libgreet++",
  version: "1:1.0+git~2-1",
  provides: ["greeting"],
  license: "MIT OR (Apache-2.0 WITH LLVM-exception AND GPL-2.0+)",
  homepage: "https://greet.example/",
  files: { "usr/share/libgreet/words": "hello\n", "usr/share/libgreet/link": { link: "words" } },
};
const TOOL: PackageSpec = {
  name: "greet",
  version: "2.0-1",
  dependencies: ["greeting"],
  files: { "usr/bin/greet": "#!\n" },
};
const OTHER: PackageSpec = {
  name: "other",
  version: "1-1",
  license: "Do what you like",
  files: { "usr/bin/other": "o" },
};
const PURL = "pkg:generic/libgreet%2B%2B@1:1.0%2Bgit~2-1?arch=noarch";

type Entry = Readonly<Record<string, unknown>> & { readonly name: string };

Deno.test("the inventory is written in both formats", async (t) => {
  await using world = await World.create();
  await world.publish([LIBRARY, TOOL]);
  await world.addRepository(world.serve().url);
  await world.expect(["install", "greet", await world.pack(OTHER), "--yes"]);
  const sbom = async (...args: string[]) => {
    const env = { SOURCE_DATE_EPOCH: "1700000000" };
    const { status, stdout, stderr } = await run(["--root", world.root, "sbom", ...args], { env });
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout;
  };

  await t.step("C-SBOM-01: equal input and SOURCE_DATE_EPOCH give equal bytes, with and without --json", async () => {
    for (const format of ["spdx", "cyclonedx"]) {
      const text = await sbom("--format", format, "--files");
      assert.equal(await sbom("--format", format, "--files"), text);
      assert.equal(await sbom("--format", format, "--files", "--json"), text);
      assert.ok(text.endsWith("}\n"));
    }
  });

  await t.step("C-SBOM-01: SPDX 2.3", async () => {
    const document = JSON.parse(await sbom());
    assert.deepEqual([document.spdxVersion, document.dataLicense, document.SPDXID], [
      "SPDX-2.3",
      "CC0-1.0",
      "SPDXRef-DOCUMENT",
    ]);
    assert.equal(document.creationInfo.created, "2023-11-14T22:13:20Z");
    assert.match(document.documentNamespace, /^https:\/\/spdx\.org\/spdxdocs\/peipkg-[0-9a-f-]{36}$/);
    const [greet, library, other]: Entry[] = document.packages;
    assert.ok(greet && library && other);
    assert.deepEqual(library, {
      name: "libgreet++",
      SPDXID: library["SPDXID"],
      versionInfo: "1:1.0+git~2-1",
      supplier: "Organization: main",
      downloadLocation: "NOASSERTION",
      filesAnalyzed: false,
      checksums: library["checksums"],
      homepage: "https://greet.example/",
      licenseConcluded: "NOASSERTION",
      licenseDeclared: "MIT OR (Apache-2.0 WITH LLVM-exception AND GPL-2.0+)",
      copyrightText: "NOASSERTION",
      summary: "Test package libgreet++",
      externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: PURL }],
    });
    assert.match(JSON.stringify(library["checksums"]), /^\[\{"algorithm":"SHA256","checksumValue":"[0-9a-f]{64}"\}\]$/);
    assert.match(String(library["SPDXID"]), /^SPDXRef-[A-Za-z0-9.-]+$/);
    assert.equal(other["supplier"], "NOASSERTION");
    assert.match(String(other["licenseDeclared"]), /^LicenseRef-Do-what-you-like-[0-9a-f]{8}$/);
    assert.deepEqual(document.hasExtractedLicensingInfos, [{
      licenseId: other["licenseDeclared"],
      extractedText: "Do what you like",
      name: "Do what you like",
    }]);
    assert.ok(
      document.relationships.some((item: Record<string, string>) =>
        item.spdxElementId === greet["SPDXID"] && item.relationshipType === "DEPENDS_ON" &&
        item.relatedSpdxElement === library["SPDXID"]
      ),
    );
    assert.equal(document.files, undefined);
  });

  await t.step("C-SBOM-01: CycloneDX 1.5", async () => {
    const document = JSON.parse(await sbom("--format", "cyclonedx"));
    assert.deepEqual([document.bomFormat, document.specVersion, document.version], ["CycloneDX", "1.5", 1]);
    assert.match(
      document.serialNumber,
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    const [greet, library, other] = document.components;
    assert.deepEqual(greet.licenses, [{ license: { id: "MIT" } }]);
    assert.equal(library.purl, PURL);
    assert.deepEqual(library.supplier, { name: "main" });
    assert.deepEqual(library.licenses, [{ expression: "MIT OR (Apache-2.0 WITH LLVM-exception AND GPL-2.0+)" }]);
    assert.equal(other.supplier, undefined);
    assert.match(other.licenses[0].license.name, /^LicenseRef-/);
    assert.deepEqual(document.dependencies[0], { ref: greet["bom-ref"], dependsOn: [PURL] });
  });

  await t.step("C-SBOM-01: --files adds files with SHA-256, links left out", async () => {
    const spdx = JSON.parse(await sbom("--files"));
    assert.deepEqual(spdx.files.map((file: { fileName: string }) => file.fileName), [
      "./usr/bin/greet",
      "./usr/share/libgreet/words",
      "./usr/bin/other",
    ]);
    assert.match(
      JSON.stringify(spdx.files[1].checksums),
      /5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03/,
    );
    const cyclone = JSON.parse(await sbom("--files", "--format", "cyclonedx"));
    assert.equal(cyclone.components[1].components[0].name, "/usr/share/libgreet/words");
  });

  await t.step("C-SBOM-01: a named package brings its closure", async () => {
    const document = JSON.parse(await sbom("greet"));
    assert.deepEqual(document.packages.map(({ name }: Entry) => name), ["greet", "libgreet++"]);
    const described = document.relationships.filter((item: Record<string, string>) =>
      item.relationshipType === "DESCRIBES"
    );
    assert.equal(described.length, 1);
    assert.match((await world.expect(["sbom", "ghost"], 1)).stderr, /"ghost" is not installed/);
  });

  await t.step("C-SBOM-01: --out replaces the file whole", async () => {
    const out = `${world.directory}/sbom.json`;
    Deno.writeTextFileSync(out, "old and much longer than anything");
    assert.equal(await sbom("--out", out, "other"), "");
    assert.equal(Deno.readTextFileSync(out), await sbom("other"));
    assert.match((await world.expect(["sbom", "--out", `${world.directory}/no/where`], 1)).stderr, /does not exist/);
  });

  await t.step("C-GEN-05: a SOURCE_DATE_EPOCH that is none is a usage error", async () => {
    const { status, stderr } = await run(["--root", world.root, "sbom"], { env: { SOURCE_DATE_EPOCH: "today" } });
    assert.equal(status, 2);
    assert.match(stderr, /SOURCE_DATE_EPOCH is "today"/);
    assert.match((await world.expect(["sbom", "--format", "xml"], 2)).stderr, /one of spdx, cyclonedx/);
  });
});
