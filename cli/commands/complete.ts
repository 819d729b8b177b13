/** `peipkg __complete <shell> <index> -- <words>…`: what the completion scripts ask. */
import type { Workspace } from "../../mod.ts";
import { type Candidate, completionPlace, type NameSource } from "../complete.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";

/** The most names offered; more help nobody. */
const CANDIDATE_LIMIT = 2000;

/** Paths on this machine that begin as typed; directories end in a slash. */
function listPaths(prefix: string, suffix: string, directoriesOnly: boolean): readonly Candidate[] {
  const slash = prefix.lastIndexOf("/");
  const directory = slash < 0 ? "" : prefix.slice(0, slash + 1);
  const found: Candidate[] = [];
  for (const entry of Deno.readDirSync(directory === "" ? "." : directory)) {
    if (!entry.name.startsWith(prefix.slice(slash + 1))) continue;
    const isDirectory = entry.isDirectory || (entry.isSymlink && isDirectoryAt(directory + entry.name));
    if (isDirectory) found.push({ value: `${directory}${entry.name}/`, description: "" });
    else if (!directoriesOnly && entry.name.endsWith(suffix)) {
      found.push({ value: directory + entry.name, description: "" });
    }
  }
  return found.sort((a, b) => a.value < b.value ? -1 : 1);
}

function isDirectoryAt(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false; // a link that leads nowhere
  }
}

/** Names of the installation; the library is loaded only when one of them is wanted. */
async function namesOf(workspace: Workspace): Promise<NameSource> {
  const { listRepositories, listRoles, searchCatalogue, SETTINGS, summarisePackages } = await import("../../mod.ts");
  const named = (item: { readonly name: string; readonly description: string }): Candidate => ({
    value: item.name,
    description: item.description,
  });
  const unique = (
    items: readonly Candidate[],
  ): readonly Candidate[] => [...new Map(items.map((item) => [item.value, item])).values()];
  return {
    installed: () => summarisePackages(workspace).map(named),
    // Without a beginning every package there is would be offered.
    available: (prefix) =>
      prefix === "" || prefix.includes("/")
        ? []
        : unique(searchCatalogue(workspace, prefix, { fields: "name" }).map(named)),
    versions: (name) =>
      unique(
        searchCatalogue(workspace, name, { fields: "name", match: "exact", allVersions: true })
          .map(({ version, repository }) => ({ value: version, description: repository })),
      ),
    repositories: () =>
      listRepositories(workspace).map((item) =>
        item.kind === "valid"
          ? { value: item.configuration.handle, description: item.configuration.baseUrl }
          : { value: item.handle, description: "" }
      ),
    roles: () => listRoles(workspace).map(({ role, holder }) => ({ value: role, description: holder ?? "" })),
    keys: () => SETTINGS.map(({ key, description }) => ({ value: key, description })),
    paths: listPaths,
  };
}

const OPENED_BY: readonly string[] = ["root", "config-dir", "state-dir", "cache-dir"];

async function installationCandidates(
  invocation: Invocation,
  place: ReturnType<typeof completionPlace>,
): Promise<readonly Candidate[]> {
  const session = await invocation.session();
  const { openWorkspace } = await import("../../mod.ts");
  const options = new Map(
    [...place.globals].filter(([name]) => OPENED_BY.includes(name)).map(([name, value]) =>
      [name.replace("-", "_"), value] as const
    ),
  );
  const { environment } = invocation.world;
  using workspace = openWorkspace(session, { options, overrides: [], environment, version: session.version }, true);
  return place.candidates(await namesOf(workspace));
}

/** C-COMP-02: an error must not disturb the line being typed; what was found before it is still offered. */
async function quietly(
  find: () => readonly Candidate[] | Promise<readonly Candidate[]>,
): Promise<readonly Candidate[] | undefined> {
  try {
    return await find();
  } catch {
    return undefined;
  }
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, program, screen } = invocation;
  const [shell = "", position = "", ...words] = args.operands;
  const place = completionPlace(program, words, Number(position), shell === "bash");
  // A first pass without names tells whether any are wanted: most completions need only the table.
  let wanted = false;
  const note = (): readonly Candidate[] => {
    wanted = true;
    return [];
  };
  const probe: NameSource = {
    installed: note,
    available: note,
    versions: note,
    repositories: note,
    roles: note,
    keys: note,
    paths: listPaths,
  };
  const first = await quietly(() => place.candidates(probe)) ?? [];
  const found = wanted && program.name === "peipkg"
    ? await quietly(() => installationCandidates(invocation, place)) ?? first
    : first;
  for (const { value, description } of found.slice(0, CANDIDATE_LIMIT)) {
    screen.raw(description === "" ? `${value}\n` : `${value}\t${escapeText(description)}\n`);
  }
  return 0;
}
