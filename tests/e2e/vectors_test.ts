/**
 * The published conformance data through the command line: every package case through `peipkg-build verify` (the ones
 * about repository policy through `install`), versions and names through the programs that read them.
 */
import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { run } from "../support/cli.ts";

const FIXTURES = new URL("../fixtures/packages/", import.meta.url);

interface PackageCase {
  readonly file: string;
  readonly expect: "accept" | "reject";
  readonly keyring: string;
  readonly size: number;
  readonly note: string;
}

interface Keyring {
  readonly policy: "required" | "optional";
  readonly official: boolean;
  readonly keys: readonly {
    readonly status: string;
    readonly valid_until?: string;
    readonly public_key: string;
  }[];
}

/** Unpacks every case and the usable keys of each keyring. */
function unpack(directory: string): { cases: readonly PackageCase[]; keyrings: Readonly<Record<string, Keyring>> } {
  const cases: readonly PackageCase[] = JSON.parse(Deno.readTextFileSync(new URL("cases.json", FIXTURES)));
  const keyrings: Record<string, Keyring> = JSON.parse(Deno.readTextFileSync(new URL("keyrings.json", FIXTURES)));
  const all = zstdDecompressSync(Deno.readFileSync(new URL("packages.bin.zst", FIXTURES)));
  let at = 0;
  for (const { file, size } of cases) Deno.writeFileSync(`${directory}/${file}`, all.subarray(at, at += size));
  for (const [name, { keys }] of Object.entries(keyrings)) {
    keys.filter(isUsable).forEach((key, index) => {
      Deno.writeFileSync(`${directory}/${name}-${index}.pub`, Uint8Array.fromHex(key.public_key));
    });
  }
  return { cases, keyrings };
}

/** `peipkg-build` knows no statuses: what may not verify now is not given to it (F-TRU-03). */
function isUsable(key: Keyring["keys"][number]): boolean {
  if (key.status === "active") return true;
  return key.status === "transitioning" && (key.valid_until ?? "") > new Date().toISOString();
}

Deno.test("F-VFY-13, C-BUILD-03: every conformance package is accepted or refused through peipkg-build verify", async () => {
  const directory = await Deno.makeTempDir({ prefix: "peipkg-vectors-" });
  try {
    const { cases, keyrings } = unpack(directory);
    let judged = 0;
    for (const [name, keyring] of Object.entries(keyrings)) {
      if (!keyring.official && name === "custom") continue; // drop-in rules depend on the repository: next test
      const own = cases.filter((item) => item.keyring === name);
      const keys = keyring.keys.filter(isUsable).flatMap((_key, index) => ["--key", `${name}-${index}.pub`]);
      const policy = keyring.policy === "required" ? ["--require-signature"] : [];
      const result = await run(["verify", "--json", ...keys, ...policy, ...own.map(({ file }) => file)], {
        program: "peipkg-build",
        cwd: directory,
      });
      const { ok, issues } = JSON.parse(result.stdout);
      assert.deepEqual([ok, result.status], [issues.length === 0, issues.length === 0 ? 0 : 1]);
      const refused = new Set(issues.map(({ path }: { path: string }) => path));
      const wrong = own.filter(({ file, expect }) => refused.has(file) !== (expect === "reject"));
      assert.deepEqual(wrong.map(({ file, expect, note }) => `${file}: ${expect} (${note})`), []);
      for (const { code, path } of issues) assert.match(code, /^E_[A-Z0-9_]+$|^SD_UNSAFE$|^CLAIM_/, path);
      judged += own.length;
    }
    assert.ok(judged > 350, `${judged} cases were judged`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("F-DROP-02, A-DROPIN-03: drop-in files of a package that is not official are refused by install", async () => {
  const directory = await Deno.makeTempDir({ prefix: "peipkg-vectors-" });
  try {
    const { cases } = unpack(directory);
    const own = cases.filter(({ keyring }) => keyring === "custom");
    assert.equal(own.length, 3);
    await Deno.mkdir(`${directory}/root`);
    for (const { file } of own) {
      const result = await run(["--root", `${directory}/root`, "install", "--json", "--yes", file], { cwd: directory });
      assert.equal(result.status, 1, file);
      const last = JSON.parse(result.stdout.trimEnd().split("\n").at(-1) ?? "");
      assert.deepEqual([last.code, last.details.rule], ["format", "E_DEST_DROPIN"], file);
    }
    assert.deepEqual([...Deno.readDirSync(`${directory}/root`)], []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
