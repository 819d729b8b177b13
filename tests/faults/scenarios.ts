/** The changes the laboratory disturbs. */
import { parsePackageName } from "../../core/identity/package_name.ts";
import { openKeptContent } from "../../core/transaction/undo_source.ts";
import { ADMINISTRATORS, descriptor, FULL, INHERITABLE, SYSTEM, USERS } from "../support/descriptors.ts";
import type { PackageSpec, RunOptions, World } from "../core/transaction/world.ts";
import type { Scenario } from "./laboratory.ts";

const TOOL: PackageSpec = {
  name: "tool",
  version: "1.0-1",
  files: {
    "/usr/bin/tool": "tool 1",
    "/usr/bin/toolalias": { link: "tool" },
    "/usr/lib/x86_64-peios/libtool.so.1": "library 1",
    "/usr/share/tool/data/a": "a 1",
    "/usr/share/tool/data/b": "b",
    "/etc/tool.conf": "setting = 1\n",
    "/etc/tool.d/extra.conf": "extra = 1\n",
  },
};

const TOOL_2: PackageSpec = {
  name: "tool",
  version: "2.0-1",
  files: {
    "/usr/bin/tool": "tool 2",
    "/usr/bin/toolalias": { link: "tool-new" },
    "/usr/bin/tool-new": "tool new",
    "/usr/lib/x86_64-peios/libtool.so.1": "library 2",
    "/usr/share/tool/data/b": "b",
    "/usr/share/tool/other/c": "c 2",
    "/etc/tool.conf": "setting = 2\n",
    "/etc/tool.d/extra.conf": "extra = 2\n",
  },
};

const SHAPES: PackageSpec = {
  name: "shapes",
  version: "1.0-1",
  files: {
    "/usr/share/shapes/turns/inner/x": "x",
    "/usr/share/shapes/flat": "flat",
    "/usr/share/shapes/link": { link: "flat" },
  },
};

const SHAPES_2: PackageSpec = {
  name: "shapes",
  version: "2.0-1",
  files: {
    "/usr/share/shapes/turns": "was a directory",
    "/usr/share/shapes/flat/one": "was a file",
    "/usr/share/shapes/flat/deep/two": "deep",
    "/usr/share/shapes/link": "was a link",
  },
};

const LOREGD: PackageSpec = {
  name: "loregd",
  files: { "/usr/bin/loregd": "lore" },
  provides: { registryd: { binary: { target: "/usr/bin/loregd", path: "/usr/bin/registryd" } } },
};

const ALTREGD: PackageSpec = {
  name: "altregd",
  files: { "/usr/bin/altregd": "alt" },
  provides: { registryd: { binary: { target: "/usr/bin/altregd", path: "/usr/bin/registryd" } } },
};

const CONSUMER: PackageSpec = {
  name: "consumer",
  files: { "/usr/bin/consumer": "consumer" },
  optional: { registryd: { binary: { path: "/usr/libexec/consumer/registry" } } },
};

const OTHER: PackageSpec = { name: "other", files: { "/usr/bin/other": "other", "/usr/share/tool/shared": "s" } };

const CLOSED = descriptor({ owner: ADMINISTRATORS, dacl: [{ sid: SYSTEM, mask: FULL, flags: INHERITABLE }] });
const READABLE = descriptor({ dacl: [{ sid: USERS }] });
const TRUST: RunOptions = {
  descriptorTrust: new Map([["official", { isOfficial: true, isAllowed: true, allowedSids: [] }]]),
};

const GUARDED: PackageSpec = {
  name: "guarded",
  version: "1.0-1",
  files: {
    "/usr/bin/guarded": "one",
    "/usr/bin/steady": "steady",
    "/usr/lib/guarded/inner/": null,
    "/usr/share/shared/": null,
  },
  sdOverrides: {
    "usr/bin/guarded": READABLE,
    "usr/bin/steady": READABLE,
    "usr/lib/guarded": CLOSED,
    "usr/share/shared": CLOSED,
  },
};

/** Other bytes for a file that stays, another object, one descriptor dropped, one directory's changed. */
const GUARDED_2: PackageSpec = {
  ...GUARDED,
  version: "2.0-1",
  files: { ...GUARDED.files, "/usr/bin/guarded": "two" },
  sdOverrides: {
    "usr/bin/guarded": CLOSED,
    "usr/lib/guarded": READABLE,
    "usr/lib/guarded/inner": CLOSED,
    "usr/share/shared": CLOSED,
  },
};

const TWO_SLOTS: PackageSpec = {
  name: "slots",
  files: { "/usr/bin/slots": "s", "/usr/lib/slots/tool": "t" },
  provides: {
    registryd: {
      binary: { target: "/usr/bin/slots", path: "/usr/bin/registryd" },
      tool: { target: "/usr/lib/slots/tool" },
    },
    spare: { main: { target: "/usr/bin/slots", path: "/run/spare" } },
  },
};

const TOOL_USER: PackageSpec = {
  name: "tooluser",
  files: { "/usr/bin/tooluser": "u" },
  optional: { registryd: { tool: { path: "/usr/libexec/deep/er/tool" } } },
};

async function undo(world: World, transaction: number): Promise<unknown> {
  const kept = openKeptContent({ root: world.root, state: world.state }, world.database, transaction);
  return await world.run([{ kind: "downgrade", package: TOOL }], {
    kind: "undo",
    undoOf: transaction,
    contents: kept.contents,
  });
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "undo from kept content",
    setup: async (world) => {
      await world.run([{ kind: "install", package: TOOL }]);
      await world.run([{ kind: "upgrade", package: TOOL_2 }]);
    },
    act: (world) => undo(world, 2),
  },
  {
    name: "upgrade on a kernel without barriers",
    world: { withoutBarrier: true },
    setup: (world) => world.run([{ kind: "install", package: TOOL }]),
    act: (world) => world.run([{ kind: "upgrade", package: TOOL_2 }]),
  },
  {
    name: "undo from kept content on a kernel without barriers",
    world: { withoutBarrier: true },
    setup: async (world) => {
      await world.run([{ kind: "install", package: TOOL }]);
      await world.run([{ kind: "upgrade", package: TOOL_2 }]);
    },
    act: (world) => undo(world, 2),
  },
  {
    name: "upgrade over two file systems",
    world: { tree: { "/usr/share/": "" }, mounts: ["/usr/share"] },
    setup: (world) => world.run([{ kind: "install", package: TOOL }]),
    act: (world) => world.run([{ kind: "upgrade", package: TOOL_2 }]),
  },
  {
    name: "install into an empty root",
    act: (world) => world.run([{ kind: "install", package: TOOL }, { kind: "install", package: OTHER }]),
  },
  {
    name: "upgrade with an edited configuration file",
    setup: async (world) => {
      await world.run([{ kind: "install", package: TOOL }]);
      world.edit("/etc/tool.conf", "setting = mine\n");
    },
    act: (world) => world.run([{ kind: "upgrade", package: TOOL_2 }]),
  },
  {
    name: "downgrade",
    setup: (world) => world.run([{ kind: "install", package: TOOL_2 }]),
    act: (world) => world.run([{ kind: "downgrade", package: TOOL }]),
  },
  {
    name: "one package replaces another and takes its paths over",
    setup: (world) => world.run([{ kind: "install", package: TOOL }, { kind: "install", package: OTHER }]),
    act: (world) => {
      const successor = { ...TOOL_2, name: "newtool" };
      return world.run([
        { kind: "remove", name: "tool", cause: { kind: "replaces", by: parsePackageName("newtool") } },
        { kind: "install", package: successor, replaces: ["tool"] },
      ]);
    },
  },
  {
    name: "remove with a cascade and an edited file",
    setup: async (world) => {
      await world.run([{ kind: "install", package: TOOL }, { kind: "install", package: OTHER }]);
      world.edit("/etc/tool.conf", "setting = mine\n");
    },
    act: (world) =>
      world.run([
        { kind: "remove", name: "other", cause: { kind: "cascade", by: parsePackageName("tool") } },
        { kind: "remove", name: "tool" },
      ], { modified: "remove" }),
  },
  {
    name: "directories become files and files become directories",
    setup: (world) => world.run([{ kind: "install", package: SHAPES }]),
    act: (world) => world.run([{ kind: "upgrade", package: SHAPES_2 }]),
  },
  {
    name: "directories become files and back, nothing retained",
    setup: (world) => world.run([{ kind: "install", package: SHAPES_2 }]),
    act: (world) => world.run([{ kind: "downgrade", package: SHAPES }], { keepDays: 0 }),
  },
  {
    name: "unowned files are displaced and adopted",
    world: { tree: { "/usr/bin/tool": "mine", "/usr/bin/tool-new": { mode: 0o755, text: "tool new" } } },
    act: (world) => world.run([{ kind: "install", package: TOOL_2 }], { overwriteUnowned: true }),
  },
  {
    name: "a role passes to another provider and gains a consumer",
    repoints: true,
    setup: (world) => world.run([{ kind: "install", package: LOREGD }]),
    act: (world) =>
      world.run([{ kind: "install", package: ALTREGD }, { kind: "install", package: CONSUMER }], {
        claims: { forced: ["registryd"] },
      }),
  },
  {
    name: "a role of several slots is granted, its links cross directories and /run",
    repoints: true,
    setup: (world) =>
      world.run([LOREGD, TWO_SLOTS, TOOL_USER].map((spec) => ({ kind: "install" as const, package: spec }))),
    act: (world) =>
      world.run([], { kind: "claim", claims: { assign: [{ role: "registryd", holder: "slots", isUndo: false }] } }),
  },
  {
    name: "a role is revoked",
    setup: (world) => world.run([LOREGD, CONSUMER].map((spec) => ({ kind: "install" as const, package: spec }))),
    act: (world) =>
      world.run([], { kind: "claim", claims: { assign: [{ role: "registryd", holder: undefined, isUndo: false }] } }),
  },
  {
    name: "claim links are reconciled over what somebody changed",
    setup: async (world) => {
      await world.run([LOREGD, CONSUMER].map((spec) => ({ kind: "install" as const, package: spec })));
      world.remove("/usr/bin/registryd");
      world.remove("/usr/libexec/consumer/registry");
      world.write({ "/usr/libexec/consumer/registry": "mine" });
    },
    act: (world) =>
      world.run([{ kind: "install", package: OTHER }], { claims: { reconcileAll: true }, overwriteUnowned: true }),
  },
  {
    name: "descriptors are applied to new and old objects",
    world: { hasKacs: true, tree: { "/usr/share/shared/": "", "/usr/bin/steady": { mode: 0o755, text: "steady" } } },
    act: (world) => world.run([{ kind: "install", package: GUARDED }], TRUST),
  },
  {
    name: "descriptors change, are dropped and return",
    world: { hasKacs: true },
    setup: (world) => world.run([{ kind: "install", package: GUARDED }], TRUST),
    act: (world) => world.run([{ kind: "upgrade", package: GUARDED_2 }], TRUST),
  },
  {
    name: "descriptors are stored on a kernel without access control",
    world: { tree: { "/usr/share/shared/": "", "/usr/bin/steady": { mode: 0o755, text: "steady" } } },
    setup: (world) => world.run([{ kind: "install", package: GUARDED }], { ...TRUST, sdOverrides: "store" }),
    act: (world) => world.run([{ kind: "upgrade", package: GUARDED_2 }], { ...TRUST, sdOverrides: "store" }),
  },
  {
    name: "a package with descriptors is removed",
    world: { hasKacs: true, tree: { "/usr/share/shared/mine": "mine" } },
    setup: (world) => world.run([{ kind: "install", package: GUARDED }], TRUST),
    act: (world) => world.run([{ kind: "remove", name: "guarded" }], TRUST),
  },
  {
    name: "a role is withdrawn with its holder",
    setup: (world) => world.run([{ kind: "install", package: LOREGD }, { kind: "install", package: CONSUMER }]),
    act: (world) => world.run([{ kind: "remove", name: "loregd" }]),
  },
];
