/**
 * One file on a machine that has a shell and a C library: it begins a root, puts itself there, and the installed copy
 * takes over and replaces itself.
 */
import assert from "node:assert/strict";
import {
  CANNOT_CHROOT,
  inRoot,
  IS_BRIEF,
  makeBareRoot,
  makeSkeleton,
  openSite,
  outcome,
  packNext,
  RELEASE,
  releasedPackage,
} from "./site.ts";

const FIRST = ["install", "--repo-file", "/media/site.repo", "peipkg", "libc", "--yes"];
const INSTALLED = "/usr/bin/peipkg";
const sha256 = async (path: string) => {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
};

Deno.test({
  name:
    "C-GLOB-15, C-INSTALL-01: from a bare machine to a root that keeps itself, killed at every event of a self-upgrade",
  ignore: CANNOT_CHROOT,
  async fn(t) {
    const work = await Deno.makeTempDir({ prefix: "peipkg-bare-" });
    try {
      const bare = `${work}/bare`;
      const target = `${bare}/mnt/target`;
      await makeBareRoot(bare);
      await using site = await openSite(`${work}/media`);
      const onBare = (...args: readonly string[]) =>
        outcome(inRoot(bare, site.directory, [site.executable.replace(site.directory, "/media"), ...args]));

      await t.step("one command begins the root; again, it changes nothing", async () => {
        const first = await onBare("--root", "/mnt/target", ...FIRST);
        assert.deepEqual(
          [first.status, first.stdout.split("\n").at(-2)],
          [0, "done — 3 operations applied"],
          first.stderr,
        );
        const again = await onBare("--root", "/mnt/target", ...FIRST);
        assert.deepEqual([again.status, again.stdout], [0, "nothing to do — the request is already satisfied\n"]);
        const verified = await onBare("--root", "/mnt/target", "verify");
        assert.deepEqual([verified.status, verified.stdout], [0, "all recorded files are intact\n"]);
      });

      await t.step("S-LOCAL-02: local files satisfy each other, without network or repository", async () => {
        await Deno.mkdir(`${bare}/mnt/second`);
        const files = ["tools", "libc"].map((name) => `/media/${name}_1.0-1_${Deno.build.arch}.peipkg`);
        const alone = await onBare("--root", "/mnt/second", "install", files[1] ?? "", "--yes");
        assert.deepEqual([alone.status, /tools/.test(alone.stderr)], [1, true]);
        const both = await onBare("--offline", "--root", "/mnt/second", "install", ...files, "--yes");
        assert.deepEqual(
          [both.status, both.stdout.split("\n").at(-2)],
          [0, "done — 2 operations applied"],
          both.stderr,
        );
      });

      await makeSkeleton(target);
      // Shared between the copies below, so that each start does not unpack again.
      await Deno.mkdir(`${site.directory}/runtime`, { mode: 0o700 });
      const inTarget = (root: string, ...args: readonly string[]) =>
        inRoot(root, site.directory, [
          "/bin/sh",
          "-c",
          'export PEIPKG_RUNTIME_DIR=/media/runtime; exec "$@"',
          "sh",
          ...args,
        ]);
      const old = await sha256(`${target}${INSTALLED}`);

      await t.step("the installed executable takes over", async () => {
        const listed = await outcome(inTarget(target, INSTALLED, "list"));
        assert.equal(listed.stderr, "");
        assert.deepEqual(listed.stdout.split("\n").map((line) => line.split(" ")[0]), [
          "libc",
          "peipkg",
          "tools",
          "",
        ]);
        assert.equal((await outcome(inTarget(target, INSTALLED, "verify"))).stdout, "all recorded files are intact\n");
        assert.match((await outcome(inTarget(target, INSTALLED, "repo", "list"))).stdout, /^site /);
        const built = await outcome(inTarget(target, "/usr/bin/peipkg-build", "--version"));
        assert.match(built.stdout, /^peipkg-build \d/);
      });

      await site.publish(await packNext(site.directory, "9.0-1"));
      assert.equal((await outcome(inTarget(target, INSTALLED, "refresh"))).status, 0);
      const upgrade = [INSTALLED, "upgrade", "peipkg", "--yes", "--json"];

      await t.step("T-MODEL-02: killed at every event, an upgrade of itself leaves a working executable", async () => {
        let [next, found] = ["", { old: 0, new: 0 }];
        for (let event = 1;; event += IS_BRIEF ? 3 : 1) {
          const copy = `${work}/copy`;
          await outcome(new Deno.Command("cp", { args: ["-a", target, copy] }));
          const child = inTarget(copy, ...upgrade).spawn();
          const finished = await killAfter(child, event);
          const bytes = await sha256(`${copy}${INSTALLED}`);
          if (finished) next = bytes;
          found = bytes === old ? { ...found, old: found.old + 1 } : { ...found, new: found.new + 1 };
          const told = await outcome(inTarget(copy, INSTALLED, "--version"));
          assert.deepEqual([told.status, told.stderr], [0, ""], `after event ${event}`);
          assert.equal((await outcome(inTarget(copy, INSTALLED, "recover"))).status, 0);
          const verified = await outcome(inTarget(copy, INSTALLED, "verify"));
          assert.deepEqual(
            [verified.status, verified.stdout],
            [0, "all recorded files are intact\n"],
            `after event ${event}`,
          );
          await Deno.remove(copy, { recursive: true });
          if (finished) break;
        }
        assert.notEqual(next, old);
        assert.ok(found.old > 0 && found.new > 0);
        console.log(`self-upgrade: ${found.old} kills found the old executable, ${found.new} runs the new one`);
      });
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});

/** @returns Whether the process ended by itself before it had said `events` lines. */
async function killAfter(child: Deno.ChildProcess, events: number): Promise<boolean> {
  let [lines, killed] = [0, false];
  for await (const chunk of child.stdout) {
    for (const byte of chunk) if (byte === 10) lines++;
    if (lines < events || killed) continue;
    killed = true;
    child.kill("SIGKILL");
  }
  await child.stderr.cancel();
  return (await child.status).signal !== "SIGKILL";
}

Deno.test({
  name: "C-GLOB-15: an ordinary user begins a root of their own, twice the same, and may not begin another's",
  ignore: CANNOT_CHROOT,
  async fn() {
    const work = await Deno.makeTempDir({ prefix: "peipkg-user-" });
    try {
      await Deno.chmod(work, 0o755);
      await using site = await openSite(`${work}/media`);
      const own = `${work}/own`;
      for (const path of [own, `${own}/root`]) await Deno.mkdir(path);
      for (const path of [own, `${own}/root`]) await Deno.chown(path, 65534, 65534);
      await Deno.mkdir(`${work}/foreign`, { mode: 0o755 });
      const asUser = (root: string) =>
        outcome(
          new Deno.Command("setpriv", {
            args: [
              ...["--reuid=65534", "--regid=65534", "--clear-groups", site.executable, "--root", root, "install"],
              ...["--repo", `site=file://${site.directory}/repository`, "--anchor", site.anchor, "peipkg", "--yes"],
            ],
            clearEnv: true,
            env: { PEIPKG_RUNTIME_DIR: `${own}/runtime` },
          }),
        );
      const first = await asUser(`${own}/root`);
      assert.deepEqual(
        [first.status, first.stdout.split("\n").at(-2)],
        [0, "done — 1 operation applied"],
        first.stderr,
      );
      assert.equal(Deno.lstatSync(`${own}/root${INSTALLED}`).uid, 65534);
      const again = await asUser(`${own}/root`);
      assert.deepEqual([again.status, again.stdout], [0, "nothing to do — the request is already satisfied\n"]);
      const foreign = await asUser(`${work}/foreign`);
      assert.deepEqual([foreign.status, [...Deno.readDirSync(`${work}/foreign`)]], [1, []]);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});

Deno.test({
  name: "F-SIG-07: the executable verifies its own bytes, and refuses those of a changed copy",
  ignore: RELEASE === undefined,
  async fn() {
    const work = await Deno.makeTempDir({ prefix: "peipkg-own-" });
    const name = `peipkg-${Deno.build.arch}`;
    try {
      const verify = (program: string) =>
        outcome(
          new Deno.Command(program, {
            args: ["self", "verify", `${RELEASE}/dist/SHA256SUMS`, "--key", `${RELEASE}/release.pub`],
            clearEnv: true,
            env: { PEIPKG_RUNTIME_DIR: `${RELEASE}/runtime` },
          }),
        );
      const good = await verify(`${RELEASE}/dist/${name}`);
      assert.match(good.stdout, new RegExp(`: OK, ${name} \\(signed by [0-9a-f]{64}\\)\n$`));
      const bytes = await Deno.readFile(`${RELEASE}/dist/${name}`);
      bytes[new TextDecoder().decode(bytes.subarray(0, 400)).indexOf("(commit")] = "[".charCodeAt(0);
      await Deno.writeFile(`${work}/${name}`, bytes, { mode: 0o755 });
      const changed = await verify(`${work}/${name}`);
      assert.deepEqual([changed.status, changed.stdout], [1, ""]);
      assert.match(changed.stderr, /its SHA-256 [0-9a-f]{64} is not listed/);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});

Deno.test({
  name: "the executable inside the product's package is the released one",
  ignore: RELEASE === undefined,
  async fn() {
    const work = await Deno.makeTempDir({ prefix: "peipkg-packed-" });
    try {
      const program = `${RELEASE}/dist/bin-${Deno.build.arch}/peipkg-build`;
      const { status, stderr } = await outcome(
        new Deno.Command(program, { args: ["unpack", await releasedPackage(), `${work}/tree`] }),
      );
      assert.equal(status, 0, stderr);
      assert.equal(await sha256(`${work}/tree${INSTALLED}`), await sha256(`${RELEASE}/dist/peipkg-${Deno.build.arch}`));
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});
