import assert from "node:assert/strict";
import {
  checkSymlinkTarget,
  createDestinationCheck,
  type DestinationRules,
  type EntryType,
  type Layout,
} from "../../../core/format/destinations.ts";
import { parseSafePath } from "../../../core/identity/safe_path.ts";
import { ruleOf } from "../../support/refusals.ts";

const RULES: DestinationRules = {
  layout: "base",
  architecture: "x86_64",
  packageName: "pkg",
  official: true,
  dropinRepository: "extra",
  dropinDirectories: [],
};

function place(path: string, type: EntryType = "file", changes: Partial<DestinationRules> = {}): string | undefined {
  return ruleOf(() => createDestinationCheck({ ...RULES, ...changes }).check(parseSafePath(path), type));
}

Deno.test("F-DST-01: the base table permits its destinations and nothing else", () => {
  const permitted = [
    "usr/bin/x",
    "usr/sbin/x",
    "usr/lib/x86_64-linux-peios/x",
    "usr/lib/debug/x",
    "usr/lib/modules/6.1/x.ko",
    "usr/lib/os-release",
    "usr/libexec/x",
    "usr/share/x",
    "usr/include/x.h",
    "usr/src/debug/x",
    "usr/src/dist/x",
    "etc/x",
    "opt/x",
    "boot/x",
    "hooks/x",
    "system/x",
  ];
  for (const path of permitted) {
    assert.equal(place(path), undefined, path);
    assert.equal(place(path, "symlink"), undefined, path);
  }
  const refused = [
    "bin/x",
    "sbin/x",
    "lib/x",
    "lib64/x",
    "usr/local/bin/x",
    "usr/system/x",
    "usr/src/linux-6/x",
    "usr/x",
    "srv/x",
    "home/u/x",
    "root/x",
    "tmp/x",
    "run/x",
    "lcl/x",
    "x",
    "usr/lib/firmware/x",
    "usr/etc/x",
    "usr/conf/x",
    "++/x",
  ];
  for (const path of refused) {
    for (const type of ["file", "symlink", "dir"] as const) {
      assert.equal(place(path, type), "E_DEST", `${type} ${path}`);
    }
  }
});

Deno.test("F-DST-02: prefixes match whole components", () => {
  assert.equal(place("etcetera/x"), "E_DEST");
  assert.equal(place("usr/binary/x"), "E_DEST");
  assert.equal(place("usr/lib/debugger/x"), "E_DEST");
});

Deno.test("F-DST-03: ancestors and destinations may be listed as directories only", () => {
  for (const path of ["usr", "usr/lib", "usr/src", "usr/lib/modules", "usr/lib/modules/6.1", "etc", "usr/bin", "var"]) {
    assert.equal(place(path, "dir"), undefined, path);
    assert.equal(place(path, "file"), "E_DEST", path);
    assert.equal(place(path, "symlink"), "E_DEST", path);
  }
  assert.equal(place("usr/local", "dir"), "E_DEST");
  assert.equal(place("usr/lib/os-release", "dir"), "E_DEST");
});

Deno.test("F-DST-04: nothing but os-release lies directly in usr/lib", () => {
  assert.equal(place("usr/lib/libx.so"), "E_DEST");
  assert.equal(place("usr/lib/os-release", "symlink"), undefined);
});

Deno.test("F-DST-05: the triplet is the package's own", () => {
  assert.equal(place("usr/lib/aarch64-linux-peios/x"), "E_DEST_ARCH");
  assert.equal(place("usr/lib/aarch64-linux-peios/x", "file", { architecture: "aarch64" }), undefined);
  assert.equal(place("usr/lib/x86_64-linux-gnu/x"), "E_DEST");
});

Deno.test("F-DST-06, F-ARCH-06: a noarch package holds nothing architecture-dependent", () => {
  const noarch = { architecture: "noarch" } as const;
  for (const path of ["usr/lib/x86_64-linux-peios/x", "usr/lib/debug/x", "usr/lib/modules/6.1/x"]) {
    assert.equal(place(path, "file", noarch), "E_DEST_ARCH", path);
    assert.equal(place(path, "dir", noarch), "E_DEST_ARCH", path);
  }
  assert.equal(place("usr/share/x", "file", noarch), undefined);
  assert.equal(place("usr/lib/os-release", "file", noarch), undefined);
  assert.equal(place("usr/lib", "dir", noarch), undefined);
});

Deno.test("F-DST-07, F-DST-09, F-DST-10: content types are the producer's matter, only paths are judged", () => {
  assert.equal(place("usr/share/libx.so"), undefined);
  assert.equal(place("usr/libexec/x"), undefined);
  assert.equal(place("boot/vmlinuz", "file"), undefined);
});

Deno.test("F-DST-08: below var there are directories only", () => {
  assert.equal(place("var/lib/x", "dir"), undefined);
  assert.equal(place("var/lib/x", "file"), "E_DEST_VAR");
  assert.equal(place("var/lib/x", "symlink"), "E_DEST_VAR");
});

Deno.test("F-DST-01: runtime directories may be listed, empty, in the base profile", () => {
  for (const path of ["dev", "proc", "run", "sys", "tmp"]) {
    assert.equal(place(path, "dir"), undefined, path);
    assert.equal(place(path, "file"), "E_DEST", path);
    assert.equal(place(`${path}/x`, "dir"), "E_DEST", path);
    assert.equal(place(path, "dir", { layout: "late" }), "E_DEST", path);
  }
});

Deno.test("F-LATE-01: the late profile moves destinations, both permits either", () => {
  const late = { layout: "late" } as const;
  for (const path of ["usr/etc/x", "usr/conf/x", "usr/lib/firmware/x", "++/x"]) {
    assert.equal(place(path, "file", late), undefined, path);
    assert.equal(place(path, "file", { layout: "both" }), undefined, path);
  }
  for (const path of ["etc/x", "opt/x", "system/x", "lcl/policy"]) {
    assert.equal(place(path, "file", late), "E_DEST", path);
    assert.equal(place(path, "file", { layout: "both" }), path.startsWith("lcl") ? "E_DEST" : undefined, path);
  }
});

function target(link: string, text: string, layout: Layout = "base"): string | undefined {
  return ruleOf(() => checkSymlinkTarget(parseSafePath(link), text, layout));
}

Deno.test("F-SYM-01, F-SYM-02: targets are relative and clean text", () => {
  assert.equal(target("usr/share/l", "/etc/passwd"), "E_SYMLINK_ABSOLUTE");
  const bad = ["a\nb", "a\\b", "e\u0301", "a\ud800", "a".repeat(256), `${"a/".repeat(2048)}b`, "a/".repeat(256) + "a"];
  for (const text of bad) assert.equal(target("usr/share/l", text), "E_SYMLINK_TARGET", text.slice(0, 20));
  assert.equal(target("usr/share/l", "./a//b/../c/"), undefined);
});

Deno.test("F-SYM-03, F-SYM-04: targets are resolved by spelling and stay inside destinations", () => {
  assert.equal(target("usr/lib/x86_64-linux-peios/libf.so", "libf.so.1"), undefined);
  assert.equal(target("boot/vmlinuz", "../usr/lib/x86_64-linux-peios/kernel/vmlinuz"), undefined);
  assert.equal(target("usr/share/f/l", "../../../etc/passwd"), undefined);
  for (
    const [link, text] of [
      ["usr/share/f/l", "../../../tmp/x"],
      ["etc/f", "../../bar"],
      ["usr/bin/l", "../.."],
      ["usr/share/l", "../../../usr/share/x"],
      ["usr/share/l", "./.././../home/x"],
    ] as const
  ) assert.equal(target(link, text), "E_SYMLINK_ESCAPE", text);
});

Deno.test("F-SYM-05: the loose test ignores architecture and follows the profile", () => {
  assert.equal(target("usr/share/l", "../lib/aarch64-linux-peios/x"), undefined);
  assert.equal(target("usr/share/l", "../lib"), undefined);
  assert.equal(target("usr/share/l", "../../etc"), undefined);
  assert.equal(target("usr/share/l", "../../etc", "late"), "E_SYMLINK_ESCAPE");
  assert.equal(target("usr/share/l", "../etc/x", "late"), undefined);
  assert.equal(target("usr/share/l", "../../++/x", "late"), undefined);
  assert.equal(target("usr/share/l", "../../opt/x", "both"), undefined);
});

Deno.test("F-SYM-06: a target need not be in the package", () => {
  assert.equal(target("usr/lib/x86_64-linux-peios/libx.so", "libx.so.9"), undefined);
});

Deno.test("F-DROP-01, F-DROP-02: only the official repository fills drop-in directories", () => {
  const foreign = { official: false };
  const names = ["ld.so.conf.d", "profile.d", "sudoers.d", "cron.d", "cron.daily", "cron.hourly", "cron.weekly"];
  for (const name of [...names, "cron.monthly", "sysctl.d", "modules-load.d", "modprobe.d", "binfmt.d"]) {
    assert.equal(place(`etc/${name}/x`), undefined, name);
    assert.equal(place(`etc/${name}/x`, "file", foreign), "E_DEST_DROPIN", name);
    assert.equal(place(`etc/${name}/x`, "symlink", foreign), "E_DEST_DROPIN", name);
    assert.equal(place(`etc/${name}`, "dir", foreign), undefined, name);
    assert.equal(place(`etc/${name}`, "symlink", foreign), "E_DEST_DROPIN", name);
    assert.equal(place(`usr/etc/${name}/x`, "file", { official: false, layout: "late" }), "E_DEST_DROPIN", name);
    assert.equal(place(`usr/etc/${name}/x`, "file", { official: false, layout: "both" }), "E_DEST_DROPIN", name);
  }
  const added = { official: false, dropinDirectories: ["/etc/myapp.d"] };
  assert.equal(place("etc/myapp.d/x", "file", added), "E_DEST_DROPIN");
  assert.equal(place("etc/sudoers.d/x", "file", added), "E_DEST_DROPIN");
  assert.equal(place("etc/myapp.conf", "file", added), undefined);
});

Deno.test("F-DROP-03: a subdirectory named after repository and package is the package's own", () => {
  const foreign = { official: false };
  const own = [
    "extra/pkg",
    "extra/pkg.conf",
    "extra/pkg-1.conf",
    "peios-extra/pkg.conf",
    "extra-pkg/anything",
    "peios-extra-pkg/a/b",
    "extra/pkg/a",
  ];
  for (const path of own) assert.equal(place(`etc/ld.so.conf.d/${path}`, "file", foreign), undefined, path);
  const refused = [
    "extra",
    "extra-pkg",
    "extra/other.conf",
    "extra/pkgx",
    "main/pkg.conf",
    "peios-extra",
    "extra/x/pkg",
  ];
  for (const path of refused) assert.equal(place(`etc/ld.so.conf.d/${path}`, "file", foreign), "E_DEST_DROPIN", path);
});
