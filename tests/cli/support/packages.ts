/** Packages that the tests of what is printed install: a program with its library, and a role with its providers. */
import type { PackageSpec } from "../../support/e2e_world.ts";

export const LIB1: PackageSpec = { name: "lib", version: "1.0-1", files: { "usr/share/lib/v": "1\n" } };
export const LIB2: PackageSpec = { ...LIB1, version: "2.0-1", files: { "usr/share/lib/v": "2\n" } };

/** Has a link and an edited-to-be configuration file beside its program. */
export const APP1: PackageSpec = {
  name: "app",
  version: "1.0-1",
  dependencies: ["lib"],
  files: { "usr/bin/app": "app\n", "usr/bin/a": { link: "app" }, "etc/app.conf": "level=1\n" },
};

/** Whose name the providers may take. */
export const CONSUMER: PackageSpec = {
  name: "consumer",
  version: "1.0-1",
  dependencies: [{ name: "registry", claims: { daemon: { path: "/usr/sbin/registry" } } }],
};

export const provider = (name: string): PackageSpec => ({
  name,
  version: "1.0-1",
  provides: [{ name: "registry", claims: { daemon: { target: `/usr/sbin/${name}` } } }],
  files: { [`usr/sbin/${name}`]: `${name}\n` },
});
