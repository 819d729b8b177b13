/**
 * Trust-relevant keys of `peipkg.toml` against those the last writer found: an edited file is reported by the next
 * writer, with the values of before and after (A-EVENT-10).
 */
import type { SettingValue } from "../config/settings.ts";
import type { Database } from "../store/database.ts";
import type { RepositoryAuditEvent } from "./repository_access.ts";

/**
 * Records the settings found in the file and reports those that changed. The first writer of an installation records
 * only: there is nothing they could differ from.
 *
 * @param values Every key as resolved; one an option, `-o` or a variable speaks for says nothing about the file.
 */
export function acceptSettings(
  values: readonly SettingValue[],
  database: Database,
  audit: (event: RepositoryAuditEvent) => void,
): void {
  const text = database.meta("accepted_settings");
  const accepted = text === undefined ? undefined : parseAccepted(text);
  const next = new Map(accepted);
  for (const { definition, value, source } of values) {
    // What a variable may only tighten is what trust rests on (C-CONF-15).
    if (definition.tightenOnly !== true || (source !== "file" && source !== "default")) continue;
    next.set(definition.key, typeof value === "object" ? value.join(",") : String(value));
  }
  const changed = [...next].filter(([key, value]) => accepted?.get(key) !== value);
  if (changed.length === 0) return;
  database.write(() => database.setMeta("accepted_settings", JSON.stringify(Object.fromEntries(next))));
  if (accepted === undefined) return;
  for (const [setting, value] of changed) {
    const change = { setting, old: accepted.get(setting), new: value, via: "file" as const };
    audit({ type: "peipkg.config-change", outcome: "success", change });
  }
}

/** What is recorded; text that was edited by hand counts as nothing recorded. */
function parseAccepted(text: string): ReadonlyMap<string, string> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    return new Map(Object.entries(value).flatMap(([key, item]) => typeof item === "string" ? [[key, item]] : []));
  } catch {
    return undefined;
  }
}
