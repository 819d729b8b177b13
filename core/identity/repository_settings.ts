/** What an operator says about a repository: read from its file, and recorded as last accepted. Plain values. */

export type SignaturePolicy = "required" | "optional";

/** Settings of one repository; absent age limits fall back to the global ones. */
export interface RepositorySettings {
  readonly baseUrl: string;
  readonly mirrors: readonly string[];
  /** 1 … `MAX_PRIORITY`, lower is stronger. */
  readonly priority: number;
  readonly signaturePolicy: SignaturePolicy;
  /** 64 lowercase hex digits each. */
  readonly trustAnchors: readonly string[];
  readonly allowInsecureTransport: boolean;
  readonly minIndexVersion: number;
  readonly maxTrustedAgeDays: number | undefined;
  readonly maxIndexStalenessDays: number | undefined;
  readonly allowSdOverrides: boolean;
  readonly sdAllowedSids: readonly string[];
  readonly official: boolean;
  readonly enabled: boolean;
}

export const MAX_PRIORITY = 2_147_483_647;

/** What a file leaves unsaid; only the base URL has to be given. */
export const DEFAULT_REPOSITORY_SETTINGS: Omit<RepositorySettings, "baseUrl"> = {
  mirrors: [],
  priority: 50, // R-PRIO-01
  signaturePolicy: "required",
  trustAnchors: [],
  allowInsecureTransport: false,
  minIndexVersion: 0,
  maxTrustedAgeDays: undefined,
  maxIndexStalenessDays: undefined,
  allowSdOverrides: false,
  sdAllowedSids: [],
  official: false,
  enabled: true,
};

/** Each setting's key, in a repository's file and wherever it is recorded; in the order they are written. */
export const REPOSITORY_SETTING_KEYS = [
  ["base_url", "baseUrl"],
  ["mirrors", "mirrors"],
  ["priority", "priority"],
  ["signature_policy", "signaturePolicy"],
  ["trust_anchors", "trustAnchors"],
  ["allow_insecure_transport", "allowInsecureTransport"],
  ["min_index_version", "minIndexVersion"],
  ["max_trusted_age_days", "maxTrustedAgeDays"],
  ["max_index_staleness_days", "maxIndexStalenessDays"],
  ["allow_sd_overrides", "allowSdOverrides"],
  ["sd_allowed_sids", "sdAllowedSids"],
  ["official", "official"],
  ["enabled", "enabled"],
] as const satisfies readonly (readonly [key: string, field: keyof RepositorySettings])[];
