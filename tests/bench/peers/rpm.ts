/** rpm, packages signed, key imported into each root. */
import { isInstalled, LEVEL, once, prepare, SET_NAMES, signingKey } from "../peer.ts";
import type { Invocation, Peer } from "../peer.ts";
import type { BenchPackage } from "../workload.ts";

function fileName({ name, version }: BenchPackage): string {
  return `${name}-${version}-1.noarch.rpm`;
}

/** One build for a whole set: every package is a subpackage that takes its own directory. */
function renderSpec(packages: readonly BenchPackage[]): string {
  const version = packages[0]?.version ?? "1.0";
  const lines = [
    ...["%global __os_install_post %{nil}", "%global __check_files %{nil}", "%global _build_id_links none"],
    ...["%global _unpackaged_files_terminate_build 0", `%global _binary_payload w${LEVEL}.zstdio`],
    ...["%global _source_filedigest_algorithm 8", "%global _binary_filedigest_algorithm 8"],
    ...["Name: bench", `Version: ${version}`, "Release: 1", "Summary: benchmark", "License: MIT"],
    ...["BuildArch: noarch", "AutoReqProv: no", "%description", "benchmark", ""],
  ];
  for (const { name } of packages) {
    lines.push(
      `%package -n ${name}`,
      "Summary: benchmark",
      "AutoReqProv: no",
      `%description -n ${name}`,
      "benchmark",
      "",
    );
  }
  for (const { name } of packages) lines.push(`%files -n ${name}`, "%defattr(-,root,root)", `/usr/share/${name}`, "");
  return lines.join("\n");
}

function command(root: string, ...args: readonly string[]): Invocation {
  return { command: ["rpm", "--root", root, ...args] };
}

export const rpm: Peer = {
  name: "rpm",
  checks: "OpenPGP signature and digest of every package",
  isDurable: false,
  async missing() {
    for (const program of ["rpm", "rpmbuild", "rpmsign", "gpg"]) {
      if (!(await isInstalled(program))) return "apt-get install rpm gnupg";
    }
    return undefined;
  },
  async pack(workload, directory) {
    const { home, id } = await signingKey(directory);
    await once(directory, "rpm-key", async () => {
      const key = await prepare(["gpg", "--homedir", home, "--batch", "--armor", "--export", id]);
      await Deno.writeTextFile(`${directory}/rpm.asc`, key);
    });
    for (const set of SET_NAMES) {
      await once(directory, `rpm-${set}`, async () => {
        const out = `${directory}/rpm/${set}`;
        const buildroot = `${directory}/rpm-buildroot`;
        await Deno.mkdir(out, { recursive: true });
        await Deno.remove(buildroot, { recursive: true }).catch(() => undefined);
        await Deno.mkdir(buildroot, { recursive: true });
        for (const { tree } of workload.sets[set]) await prepare(["cp", "-al", `${tree}/usr`, buildroot]);
        await Deno.writeTextFile(`${out}/bench.spec`, renderSpec(workload.sets[set]));
        await prepare(
          [
            ...["rpmbuild", "-bb", "--quiet", "--nodeps", "--noprep", "--define", `_topdir ${directory}/rpm-top`],
            ...["--define", `_rpmdir ${out}`, "--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"],
            ...["--buildroot", buildroot, "--noclean", `${out}/bench.spec`],
          ] as const satisfies readonly [string, ...string[]],
        );
        await Deno.remove(buildroot, { recursive: true });
        const files = workload.sets[set].map((entry) => `${out}/${fileName(entry)}`);
        await prepare(
          [
            ...[
              "rpmsign",
              "--define",
              "__gpg /usr/bin/gpg",
              "--define",
              `_gpg_path ${home}`,
              "--define",
              `_gpg_name ${id}`,
              "--addsign",
              ...files,
            ],
          ] as const satisfies readonly [string, ...string[]],
        );
      });
    }
  },
  served: () => undefined,
  async prepareRoot(root, directory) {
    await Deno.mkdir(`${root}/var/lib/rpm`, { recursive: true });
    await prepare(["rpm", "--root", root, "--initdb"]);
    await prepare(["rpm", "--root", root, "--import", `${directory}/rpm.asc`]);
  },
  offer: () => Promise.resolve(),
  install(root, directory, set, packages) {
    return command(root, "-i", ...packages.map((entry) => `${directory}/rpm/${set}/${fileName(entry)}`));
  },
  upgrade(root, directory, packages) {
    return command(root, "-U", ...packages.map((entry) => `${directory}/rpm/changed/${fileName(entry)}`));
  },
  remove: (root, packages) => command(root, "-e", ...packages.map(({ name }) => name)),
  verify: (root) => command(root, "-Va", "--nouser", "--nogroup"),
  list: (root) => command(root, "-qa"),
  owner: (root, path) => command(root, "-qf", `/${path}`),
  version: () => ({ command: ["rpm", "--version"] }),
};
