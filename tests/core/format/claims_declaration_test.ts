/** Declarations of roles in manifests, as verification of a whole package judges them (claims.md section 2). */
import assert from "node:assert/strict";
import { refusalOf } from "../../support/package_builder.ts";

const PAYLOAD = [
  { name: "usr/bin/", type: "dir" },
  { name: "usr/bin/dash" },
  { name: "usr/bin/link", type: "symlink", target: "dash" },
] as const;

type Side = "provides" | "dependencies" | "optional_dependencies" | "conflicts" | "replaces";

const judge = (side: Side, claims: unknown, name = "shell") =>
  refusalOf({ payload: PAYLOAD, manifest: { [side]: [{ name, claims }] } });
const provides = (path: string | undefined, target = "/usr/bin/dash") =>
  judge("provides", { main: { target, ...(path === undefined ? {} : { path }) } });
const consumes = (path: string) => judge("optional_dependencies", { main: { path } });

Deno.test("C-DECL-01, C-DECL-11: claims count on dependencies and provides alone, and may be empty", async () => {
  for (const side of ["conflicts", "replaces"] as const) {
    assert.equal(await judge(side, { "NO SLOT": 7 }), undefined, side);
  }
  for (const side of ["provides", "dependencies", "optional_dependencies"] as const) {
    assert.equal(await judge(side, {}), undefined, side);
    assert.equal(await judge(side, { "NO SLOT": {} }), "E_CLAIM_SLOT", side);
  }
});

Deno.test("C-DECL-02: slots are package names, roles virtual names", async () => {
  for (const slot of ["main", "a-2", "x+y"]) {
    assert.equal(await judge("dependencies", { [slot]: { path: "/usr/bin/sh" } }), undefined, slot);
  }
  for (const slot of ["", "Main", "a b", "-a", "a/b"]) {
    assert.equal(await judge("dependencies", { [slot]: { path: "/usr/bin/sh" } }), "E_CLAIM_SLOT", slot);
  }
  assert.equal(await judge("provides", { main: { target: "/usr/bin/dash" } }, "no role!"), "E_VNAME");
});

Deno.test("C-DECL-03, C-DECL-04: consumers give a path and no target, providers a target and perhaps a path", async () => {
  for (const side of ["dependencies", "optional_dependencies"] as const) {
    assert.equal(await judge(side, { main: { path: "/usr/bin/sh" } }), undefined);
    assert.equal(await judge(side, { main: {} }), "E_CLAIM_SHAPE");
    assert.equal(await judge(side, { main: { path: "/usr/bin/sh", target: "/usr/bin/dash" } }), "E_CLAIM_SHAPE");
  }
  assert.equal(await provides(undefined), undefined);
  assert.equal(await provides("/usr/bin/sh"), undefined);
  assert.equal(await judge("provides", { main: { path: "/usr/bin/sh" } }), "E_CLAIM_SHAPE");
});

Deno.test("C-DECL-05, C-SEC-01: a target is a file or link of the package's own payload", async () => {
  for (const target of ["/usr/bin/dash", "/usr/bin/link"]) {
    assert.equal(await provides(undefined, target), undefined, target);
  }
  for (const target of ["/usr/bin", "/usr/bin/other", "/etc/passwd"]) {
    assert.equal(await provides(undefined, target), "E_CLAIM_TARGET", target);
  }
  assert.notEqual(await provides(undefined, "usr/bin/dash"), undefined); // not absolute
});

Deno.test("C-DECL-06, C-LIM-03: a claim path obeys every rule of payload paths", async () => {
  const long = `/usr/bin/${"a/".repeat(2100)}b`;
  const wrong = ["usr/bin/sh", "/usr/bin/../sh", "/usr/bin//sh", "/usr/bin/./sh", "/usr/bin/s\u0007h", "/usr/bin/s\\h"];
  for (
    const path of [...wrong, `/usr/bin/${"x".repeat(256)}`, long, "/usr/bin/e\u0301", `/usr/bin/${"a/".repeat(256)}b`]
  ) {
    assert.equal(await consumes(path), "E_CLAIM_PATH", path.slice(0, 40));
  }
});

Deno.test("C-DECL-07: claim paths lie in install destinations or below /run", async () => {
  for (const path of ["/usr/bin/sh", "/etc/x", "/run/x.sock", "/run/a/b"]) {
    assert.equal(await consumes(path), undefined, path);
  }
  for (const path of ["/home/x", "/tmp/x", "/run", "/init", "/x", "/proc/x"]) {
    assert.equal(await consumes(path), "E_CLAIM_PATH", path);
  }
});

Deno.test("C-DECL-08: a claim path is none of the package's own paths", async () => {
  for (const path of ["/usr/bin/dash", "/usr/bin/link", "/usr/bin"]) {
    assert.equal(await consumes(path), "E_CLAIM_PATH", path);
  }
});

Deno.test("C-DECL-10, C-LIM-01: 64 slots pass, one more is refused", async () => {
  const slots = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`slot-${n}`, { path: `/usr/bin/p${n}` }]));
  assert.equal(await judge("dependencies", slots(64)), undefined);
  assert.equal(await judge("dependencies", slots(65)), "E_LIMIT_CLAIMS");
});

Deno.test("C-DECL-12: one wrong slot refuses the whole package", async () => {
  assert.equal(
    await judge("dependencies", { good: { path: "/usr/bin/sh" }, wrong: { path: "relative" } }),
    "E_CLAIM_PATH",
  );
});
