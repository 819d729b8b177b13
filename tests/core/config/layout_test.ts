import assert from "node:assert/strict";
import {
  createPlace,
  hostPath,
  isSystemRoot,
  logicalPath,
  openPlace,
  reservedPaths,
  resolveLayout,
} from "../../../core/config/layout.ts";
import { realSystem } from "../../../core/runtime.ts";

Deno.test("C-GLOB-16: by default everything lies beneath the root", () => {
  const layout = resolveLayout({ root: "/mnt/tree/" });
  assert.equal(hostPath(layout, layout.config), "/mnt/tree/conf/peipkg");
  assert.equal(hostPath(layout, layout.state), "/mnt/tree/var/lib/peipkg");
  assert.equal(hostPath(layout, layout.cache), "/mnt/tree/var/lib/peipkg/cache");
  assert.equal(hostPath(resolveLayout({ root: "/" }), layout.state), "/var/lib/peipkg");
});

Deno.test("C-GLOB-02, C-GLOB-03, C-CONF-04: an option is literal, the file's paths lie beneath the root", () => {
  const layout = resolveLayout({
    root: "/mnt/tree",
    stateDirectory: "/srv/state/",
    configDirectory: { path: "/etc/p", beneathRoot: true },
  });
  assert.equal(hostPath(layout, layout.state), "/srv/state");
  assert.equal(hostPath(layout, layout.cache), "/srv/state/cache");
  assert.equal(hostPath(layout, layout.config), "/mnt/tree/etc/p");
  assert.equal(logicalPath(layout, layout.state), undefined);
  assert.equal(logicalPath(layout, layout.config), "/etc/p");
});

Deno.test("T-COLL-15: reserved paths are the fixed ones and where options put the places inside the root", () => {
  const fixed = ["/var/lib/peipkg", "/conf/peipkg", "/var/log/peipkg"];
  assert.deepEqual(reservedPaths(resolveLayout({ root: "/" })), [...fixed, "/var/lib/peipkg/cache"]);
  const moved = resolveLayout({
    root: "/mnt/tree",
    stateDirectory: "/mnt/tree/state",
    cacheDirectory: "/mnt/treeless",
  });
  assert.deepEqual(reservedPaths(moved), [...fixed, "/state"]);
});

Deno.test("T-SIDE-04: only the running system's own root is one", () => {
  assert.equal(isSystemRoot(resolveLayout({ root: "/" })), true);
  assert.equal(isSystemRoot(resolveLayout({ root: "//" })), true);
  assert.equal(isSystemRoot(resolveLayout({ root: "/mnt" })), false);
});

Deno.test("T-DB-17, T-PATH-11: places are created with what is missing above them, and never through a link", () => {
  const path = Deno.makeTempDirSync();
  const before = Deno.umask(0o077);
  try {
    using system = realSystem();
    using root = system.openRoot(path);
    const layout = resolveLayout({ root: path, cacheDirectory: `${path}/outside/of/it` });
    assert.equal(openPlace(system, root, layout.state), undefined);
    assert.equal(openPlace(system, root, layout.cache), undefined);
    createPlace(system, root, layout.state)[Symbol.dispose]();
    createPlace(system, root, layout.cache)[Symbol.dispose]();
    createPlace(system, root, { path: "/var/lib/other", beneathRoot: true }, 0o700)[Symbol.dispose]();
    for (const directory of ["var", "var/lib", "var/lib/peipkg", "outside", "outside/of", "outside/of/it"]) {
      assert.equal((Deno.statSync(`${path}/${directory}`).mode ?? 0) & 0o777, 0o755, directory);
    }
    assert.equal((Deno.statSync(`${path}/var/lib/other`).mode ?? 0) & 0o777, 0o700);
    using opened = openPlace(system, root, layout.cache);
    assert.ok(opened !== undefined);
    Deno.symlinkSync("var/lib", `${path}/conf`);
    assert.throws(() => createPlace(system, root, layout.config), /symbolic link/);
  } finally {
    Deno.umask(before);
    Deno.removeSync(path, { recursive: true });
  }
});
