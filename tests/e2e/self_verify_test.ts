/** `peipkg self verify` against lists as `build.ts --sign-key` writes them. */
import assert from "node:assert/strict";
import { writeSums } from "../../.build/sums.ts";
import { type CliResult, expectRun, run } from "../support/cli.ts";

const KEY = { program: "peipkg-repo" } as const;

interface Release extends AsyncDisposable {
  readonly directory: string;
  readonly fingerprint: string;
  /** The program under test is the file `peipkg-x86_64` of the release, wherever the test runs from. */
  verify(...args: readonly string[]): Promise<CliResult>;
}

async function makeRelease(): Promise<Release> {
  const directory = await Deno.makeTempDir({ prefix: "peipkg-self-" });
  await expectRun(["keygen", "--out", `${directory}/release`], 0, KEY);
  await Deno.writeTextFile(`${directory}/peipkg-x86_64`, "the program\n");
  await Deno.writeTextFile(`${directory}/peipkg-aarch64`, "another program\n");
  const fingerprint = await writeSums(directory, `${directory}/release`) ?? "";
  return {
    directory,
    fingerprint,
    verify: (...args) =>
      run(["self", "verify", ...args], { cwd: directory, env: { _PEIPKG_PROGRAM: `${directory}/peipkg-x86_64` } }),
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

// A built executable names its own file in that variable; there `tests/e2e/executable_test.ts` covers it.
const ignore = Deno.env.get("PEIPKG_PROGRAMS") !== undefined;

Deno.test({
  name: "F-SIG-07: self verify finds the program in signed sums, whatever it is called",
  ignore,
  async fn() {
    await using release = await makeRelease();
    const { directory, fingerprint } = release;
    const told = await release.verify("SHA256SUMS", "--key", "release.pub", "--fingerprint", fingerprint.toUpperCase());
    assert.deepEqual(told, {
      status: 0,
      stdout: `${directory}/peipkg-x86_64: OK, peipkg-x86_64 (signed by ${fingerprint})\n`,
      stderr: "",
    });
    const { stdout } = await release.verify("--json", "SHA256SUMS", "--key", "release.pub");
    assert.deepEqual(JSON.parse(stdout), {
      path: `${directory}/peipkg-x86_64`,
      sha256: "221dd9a75970db077b86f8a4b7a3ea9645dad8c532e27f8cae0fbd940674fa0f",
      listed_as: ["peipkg-x86_64"],
      signed_by: fingerprint,
    });
  },
});

Deno.test({
  name: "F-TRU-02: self verify refuses what is not proven, and says what is wrong",
  ignore,
  async fn(t) {
    await using release = await makeRelease();
    const { directory, fingerprint } = release;
    await expectRun(["keygen", "--out", `${directory}/other`], 0, KEY);
    const known = ["SHA256SUMS", "--key", "release.pub"];
    const sums = await Deno.readTextFile(`${directory}/SHA256SUMS`);
    const signature = await Deno.readTextFile(`${directory}/SHA256SUMS.sig`);
    const refused = async (name: string, args: readonly string[], expected: RegExp, status = 1) => {
      await t.step(name, async () => {
        const result = await release.verify(...args);
        assert.deepEqual([result.status, result.stdout], [status, ""]);
        assert.match(result.stderr, expected);
        await Deno.writeTextFile(`${directory}/SHA256SUMS`, sums);
        await Deno.writeTextFile(`${directory}/SHA256SUMS.sig`, signature);
      });
    };
    await refused("no key", ["SHA256SUMS"], /option --key is required/, 2);
    await refused("no list", ["--key", "release.pub"], /exactly one list of sums is required/, 2);
    await refused("a fingerprint that is none", [...known, "--fingerprint", "ab"], /"ab" is not a fingerprint/, 2);
    await refused("another key", ["SHA256SUMS", "--key", "other.pub"], new RegExp(`key ${fingerprint} is not trusted`));
    await refused("another fingerprint", [...known, "--fingerprint", "0".repeat(64)], /another was expected/);
    await refused("a private key for a public one", ["SHA256SUMS", "--key", "release"], /"PUBLIC KEY"/);
    await Deno.writeTextFile(`${directory}/SHA256SUMS`, sums.replace("aarch64", "aarch65"));
    await refused("an edited list", known, /"SHA256SUMS": it does not verify with key/);
    await Deno.remove(`${directory}/SHA256SUMS.sig`);
    await refused("no signature", known, /cannot read "SHA256SUMS\.sig": it does not exist/);
    await Deno.writeTextFile(`${directory}/SHA256SUMS.sig`, "nonsense\n");
    await refused("a signature that is none", known, /signature/);
    await Deno.writeTextFile(`${directory}/peipkg-x86_64`, "the program, changed\n");
    await refused("a changed program", known, /its SHA-256 [0-9a-f]{64} is not listed in "SHA256SUMS"/);
    await Deno.mkdir(`${directory}/odd`);
    await Deno.writeTextFile(`${directory}/odd/peipkg two words`, "x");
    await writeSums(`${directory}/odd`, `${directory}/release`);
    await refused("a list with other lines", ["odd/SHA256SUMS", "--key", "release.pub"], /line 1: expected a SHA-256/);
  },
});

Deno.test({
  name: "F-KEY-03: sums are not signed with a key that others may read, and a signature of former sums goes",
  ignore,
  async fn() {
    await using release = await makeRelease();
    const { directory } = release;
    await Deno.chmod(`${directory}/release`, 0o644);
    await assert.rejects(writeSums(directory, `${directory}/release`), /others than its owner may read it/);
    await writeSums(directory, undefined);
    assert.equal(await Deno.stat(`${directory}/SHA256SUMS.sig`).then(() => true, () => false), false);
  },
});
