/** Turns the one permission list (`permissions.peipkg` in `deno.json`) into command-line flags. */

type Permissions = Readonly<Record<string, boolean | readonly string[]>>;

function isPermissions(value: unknown): value is Permissions {
  return typeof value === "object" && value !== null &&
    Object.values(value).every((entry) =>
      typeof entry === "boolean" || (Array.isArray(entry) && entry.every((item) => typeof item === "string"))
    );
}

/**
 * Flags in the order of the list, `--no-prompt` not included: `--allow-read`, `--allow-run=/usr/bin/ldconfig,…`.
 *
 * @param project Parsed `deno.json`.
 */
export function permissionFlags(project: unknown): readonly string[] {
  const sets = typeof project === "object" && project !== null && "permissions" in project ? project.permissions : {};
  const list = typeof sets === "object" && sets !== null && "peipkg" in sets ? sets.peipkg : undefined;
  if (!isPermissions(list)) throw new Error("deno.json has no permission list permissions.peipkg");
  return Object.entries(list).flatMap(([name, value]) => {
    if (value === true) return [`--allow-${name}`];
    if (value === false) return [];
    return [`--allow-${name}=${value.join(",")}`];
  });
}
