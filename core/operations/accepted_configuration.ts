/**
 * Settings of a repository against those last accepted: what was changed, and what may not change without an elevated
 * yes (R-TRANS-04, R-POL-06, A-EVENT-10).
 */
import type { RepositoryConfiguration } from "../config/repo_file.ts";
import { type ElevatedAction, PeipkgError, ruleError } from "../errors.ts";
import { REPOSITORY_SETTING_KEYS, type RepositorySettings } from "../identity/repository_settings.ts";
import type { Database } from "../store/database.ts";
import { readRepositoryState, writeAccepted } from "../store/repository_state.ts";
import type { RepositoryAccess } from "./repository_access.ts";

/** A weakening that must be answered by itself before the repository is fetched from or planned with. */
export interface Weakening {
  readonly action: Extract<ElevatedAction, "AUTH_INSECURE_TOGGLE" | "AUTH_WEAKEN_POLICY">;
  /** Handle. */
  readonly repository: string;
  readonly baseUrl: string;
}

interface Change {
  readonly setting: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
}

/** Settings whose change is audited: those that decide what is trusted and in which order. */
const AUDITED = REPOSITORY_SETTING_KEYS.filter(([key]) => key !== "official" && key !== "enabled");

/** The settings of a file as they are recorded once accepted. */
export function acceptedFrom(configuration: RepositoryConfiguration): RepositorySettings {
  const { handle: _handle, ...accepted } = configuration;
  return accepted;
}

/** @see R-TRANS-04, R-POL-06 */
export function findWeakenings(
  accepted: RepositorySettings,
  configuration: RepositoryConfiguration,
): readonly Weakening[] {
  const about = { repository: configuration.handle, baseUrl: configuration.baseUrl };
  const found: Weakening[] = [];
  if (!accepted.allowInsecureTransport && configuration.allowInsecureTransport) {
    found.push({ action: "AUTH_INSECURE_TOGGLE", ...about });
  }
  const lowered = accepted.signaturePolicy === "required" && configuration.signaturePolicy === "optional";
  const stripped = configuration.signaturePolicy === "optional" && accepted.trustAnchors.length > 0 &&
    configuration.trustAnchors.length === 0;
  if (lowered || stripped) found.push({ action: "AUTH_WEAKEN_POLICY", ...about });
  return found;
}

/**
 * Refuses weakenings that were not answered yes.
 *
 * @throws {PeipkgError} `authorisation-required` (`E_AUTH_REQUIRED`)
 */
export function requireGranted(found: readonly Weakening[], granted: readonly Weakening[]): void {
  for (const weakening of found) {
    const isGranted = granted.some((given) =>
      given.repository === weakening.repository && given.action === weakening.action
    );
    if (!isGranted) throw weakeningError(weakening);
  }
}

function weakeningError(weakening: Weakening): PeipkgError {
  const { repository } = weakening;
  const what = weakening.action === "AUTH_INSECURE_TOGGLE"
    ? "its file now allows insecure transport"
    : "its file now weakens the signature policy";
  return ruleError("E_AUTH_REQUIRED", `cannot use repository "${repository}": ${what}, which was not authorised`, {
    repository,
    hint: `run "peipkg repo add ${repository}" at a terminal to authorise it`,
  });
}

/** Differences between accepted settings and a file's, as audit events name them. */
export function configurationChanges(
  accepted: RepositorySettings,
  configuration: RepositoryConfiguration,
): readonly Change[] {
  const next = acceptedFrom(configuration);
  return AUDITED.flatMap(([setting, field]) => {
    const change = { setting, old: textOf(accepted[field]), new: textOf(next[field]) };
    return change.old === change.new ? [] : [change];
  });
}

function textOf(value: RepositorySettings[keyof RepositorySettings]): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === "object" ? value.join(",") : String(value);
}

/**
 * Records settings as accepted and reports what changed. Called by every writer that consults repositories, under the
 * lock, once weakenings have been answered.
 *
 * @param via Whether a command changed them or a file was found edited.
 */
export function acceptConfigurations(
  access: RepositoryAccess,
  database: Database,
  configurations: readonly RepositoryConfiguration[],
  via: "command" | "file",
): void {
  for (const configuration of configurations) {
    const state = readRepositoryState(database, configuration.handle);
    if (state === undefined) continue;
    const changes = configurationChanges(state.accepted, configuration);
    const next = acceptedFrom(configuration);
    if (changes.length === 0 && JSON.stringify(state.accepted) === JSON.stringify(next)) continue;
    database.write(() => writeAccepted(database, configuration.handle, next));
    auditChanges(access, configuration.handle, changes, via);
  }
}

/** Emits one `peipkg.config-change` per setting (A-EVENT-10). */
export function auditChanges(
  access: RepositoryAccess,
  repository: string,
  changes: readonly Change[],
  via: "command" | "file",
): void {
  for (const change of changes) {
    access.audit({ type: "peipkg.config-change", outcome: "success", repo: repository, change: { ...change, via } });
  }
}
