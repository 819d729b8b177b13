/**
 * The library's door. Everything a front end needs and nothing else; `cli/` may import no other file.
 */

// --- What everything is given: failures, progress, the world, the workspace ---
export * from "./core/errors.ts";
export type { Emit, Phase, ProgressEvent } from "./core/events.ts";
export type { Session, System } from "./core/system.ts";
export { openWorkspace, type Workspace, type WorkspaceInput } from "./core/operations/workspace.ts";
export { realSystem } from "./core/runtime.ts";

// --- Values: names, times, fingerprints, addresses, settings ---
export { isPackageName, type PackageName } from "./core/identity/package_name.ts";
export { nearestName } from "./core/identity/near_name.ts";
export { formatTimestamp } from "./core/identity/timestamp.ts";
export type { SettingSource, SettingValue } from "./core/config/settings.ts";
export { SETTINGS } from "./core/config/setting_table.ts";
export { REPOSITORY_KEYS } from "./core/config/repo_file.ts";
export { groupFingerprint, isFingerprint } from "./core/identity/fingerprint.ts";
export { readNamedFile } from "./core/operations/named_files.ts";
export { readRepositorySeed } from "./core/operations/repository_seed.ts";
export { parseBaseUrl } from "./core/config/base_url.ts";
export { resolveSettings } from "./core/config/settings.ts";
export { matchesPattern } from "./core/operations/patterns.ts";

// --- Changes: what can be asked for, the plan, its execution, recovery ---
export type * from "./core/resolver/plan.ts";
export * from "./core/operations/change_request.ts";
export { type ElevatedOutcome, reportAnswer } from "./core/operations/authorisations.ts";
export { applyChange, planChange } from "./core/operations/change.ts";
export type { Considered, Rejection, RejectionSuggestion, Requirement } from "./core/resolver/derivation.ts";
export {
  annotatePackage,
  lockPackages,
  markPackages,
  readPackageAnnotation,
  removeAnnotation,
} from "./core/operations/marks.ts";
export { cleanCache } from "./core/operations/clean.ts";
export type { Weakening } from "./core/operations/accepted_configuration.ts";
export { pendingWeakenings } from "./core/operations/available.ts";
export {
  acceptRecovery,
  recoverInstallation,
  type RecoverResult,
  type RecoveryDocument,
  reportRecovery,
  undecidedTransaction,
} from "./core/operations/recover.ts";
export { planRepairs, type Repairs } from "./core/operations/repair.ts";
export { removeStrays } from "./core/operations/strays.ts";
export { planRestore, restoreBackup, type RestorePlan } from "./core/operations/restore.ts";
export {
  listNewDefaults,
  type NewDefault,
  type NewDefaultChoice,
  readNewDefault,
  settleNewDefaults,
} from "./core/operations/new_defaults.ts";

// --- Looking: what is installed, offered, intact, known ---
export {
  listAnnotations,
  type ListFilters,
  listPackages,
  ownersLike,
  ownersOf,
  packageFiles,
  type PackageLine,
  type PackageSummary,
  type PathOwnership,
  summarisePackages,
} from "./core/operations/query.ts";
export {
  type HistoryEntry,
  transactionEntry,
  transactionFiles,
  transactionHistory,
} from "./core/operations/history.ts";
export { verifyInstalled, type VerifyProblem, type VerifyReport } from "./core/operations/verify.ts";
export {
  type AvailablePackage,
  describeOffers,
  explainInstalled,
  type PackageDetail,
  packageDetail,
  type Statistics,
  statistics,
  type WhyAnswer,
} from "./core/operations/inspect.ts";
export { searchCatalogue, type SearchFilters } from "./core/operations/search.ts";
export type { CatalogueLine } from "./core/store/catalogue.ts";
export { type SelfVerification, type SelfVerificationRequest, verifySelf } from "./core/operations/self_verify.ts";
export { type LinkStatus, listRoles, type RoleDetail, roleDetail, type RoleLink } from "./core/operations/roles.ts";
export { checkInstallation, type CheckProblem, type CheckRequest } from "./core/operations/check.ts";
export { type BackupReport, backupTo, backupToFile } from "./core/operations/backup.ts";
export {
  fileRecord,
  installedRecords,
  type OfferedRecord,
  offeredRecords,
  type PackageRecord,
  type RecordItem,
  type RecordList,
  versionTest,
} from "./core/operations/records.ts";
export { findLibrary, findMissingLibraries, type LibraryAnswer } from "./core/operations/libraries.ts";
export {
  auditPackages,
  type AuditReport,
  type AuditRequest,
  type Vulnerability,
} from "./core/operations/audit_packages.ts";
export { describeInventory, type InventoryRequest, writeInventory } from "./core/operations/sbom.ts";

// --- Repositories as a consumer ---
export { refreshRepositories, type RefreshResult } from "./core/operations/refresh.ts";
export {
  commitRepositoryAdd,
  fetchRepositoryAdd,
  listRepositories,
  listRepositoryKeys,
  planRepositoryAdd,
  removeRepository,
  type RepositoryAddPlan,
  type RepositoryAddRequest,
  type RepositoryCeremony,
  type RepositoryListing,
  setRepositoryEnabled,
} from "./core/operations/repositories.ts";
export { RateLimit } from "./core/repository/rate_limit.ts";
export {
  fetchPackages,
  type FetchRequest,
  planFetch,
  type PlannedFetch,
  type RejectedFetch,
} from "./core/operations/fetch.ts";
export type { SelectionTarget } from "./core/operations/selection.ts";
export { isBundleName, makeBundle, planBundle, type PlannedBundle } from "./core/operations/bundle.ts";

// --- Producing packages and repositories ---
export { auditFailure } from "./core/operations/change_audit.ts";
export { generateKey, readPublicKeyFile, readSigningKey } from "./core/operations/key_files.ts";
export type { SigningKey } from "./core/format/keys.ts";
export {
  type FileVerification,
  type Inspection,
  inspectPackage,
  type PackRequest,
  type PackResult,
  packTree,
  type SignerExpectation,
  unpackPackage,
  verifyPackageFile,
} from "./core/operations/build_packages.ts";
export { addPackages, type AddResult } from "./core/publish/add.ts";
export { initRepository, type InitRequest } from "./core/publish/init.ts";
export { publishRepository, type PublishRequest, type PublishResult } from "./core/publish/publish.ts";
export type { PublishContext, PublishedPackage } from "./core/publish/repository_tree.ts";
export { changeKeys, type KeyChange, type KeyRequest } from "./core/publish/rotate.ts";
export { checkRepository, type RepositoryCheck, type RepositoryCheckRequest } from "./core/publish/verify.ts";
export { mirrorRepository } from "./core/publish/mirror.ts";
