/**
 * The one permission list (`permissions.peipkg` in `deno.json`) as executables carry it: a configuration file
 * with nothing else in it, since the runtime's flags cannot say all that its configuration can (`umask`).
 */
type Permissions = Readonly<Record<string, boolean | readonly string[]>>;

function isPermissions(value: unknown): value is Permissions {
  return typeof value === "object" && value !== null &&
    Object.values(value).every((entry) =>
      typeof entry === "boolean" || (Array.isArray(entry) && entry.every((item) => typeof item === "string"))
    );
}

function permissionList(project: object): Permissions {
  const sets = "permissions" in project ? project.permissions : {};
  const list = typeof sets === "object" && sets !== null && "peipkg" in sets ? sets.peipkg : undefined;
  if (!isPermissions(list)) throw new Error("deno.json has no permission list permissions.peipkg");
  return list;
}

/** Text of a configuration file for `--config=FILE -P=peipkg`. */
export function permissionFile(project: object): string {
  return JSON.stringify({ permissions: { peipkg: permissionList(project) } });
}

/** The same as flags, for people to read: `--allow-read`, `--allow-run=/usr/bin/ldconfig,…`. */
export function permissionFlags(project: object): readonly string[] {
  return Object.entries(permissionList(project)).flatMap(([name, value]) => {
    if (value === true) return [`--allow-${name}`];
    if (value === false) return [];
    return [`--allow-${name}=${value.join(",")}`];
  });
}
