/**
 * The one place where raw values of the configuration keys (`setting_table.ts`) become settings. Precedence, strongest
 * first: command-line option, `-o`, environment variable, `peipkg.toml`, built-in default (C-CONF-01). No key
 * answers an elevated question (C-CONF-05): none of them is consulted where such a question is asked.
 */
import { PeipkgError, type Warning } from "../errors.ts";
import { nearHint } from "../identity/near_name.ts";
import { NO_LIMIT, type SettingDefinition, type SettingRaw, SETTINGS, type SettingType } from "./setting_table.ts";
import { readFlatToml, type TomlEntry } from "./toml.ts";

export type SettingSource = "option" | "override" | "environment" | "file" | "default";

/** One key's value and where it came from. */
export interface SettingValue {
  readonly definition: SettingDefinition;
  readonly value: SettingRaw;
  readonly source: SettingSource;
}

/** A path setting; from the file it lies beneath the root, else it is literal (C-CONF-04). */
export interface PathSetting {
  readonly path: string;
  readonly beneathRoot: boolean;
}

/** Proxies as configured; empty strings mean none. */
export interface ProxySettings {
  /** Key `proxy`: serves every request. */
  readonly all: string;
  readonly https: string;
  readonly http: string;
  /** Hosts that are reached directly, as `NO_PROXY` lists them. */
  readonly direct: readonly string[];
}

/** All settings, typed; units are in the names. */
export interface Settings {
  readonly root: string;
  /** `undefined`: the default place of the layout. */
  readonly configDirectory: PathSetting | undefined;
  readonly stateDirectory: PathSetting | undefined;
  readonly cacheDirectory: PathSetting | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: number;
  readonly color: string;
  readonly progress: boolean;
  readonly assumeYes: boolean;
  readonly lockWaitSeconds: number;
  /** `undefined`: what the database or the machine says (C-CONF-14). */
  readonly architecture: string | undefined;
  readonly autoRefreshHours: number;
  readonly maxTrustedAgeDays: number;
  readonly maxIndexStalenessDays: number;
  readonly backupKeepTransactions: number;
  readonly backupKeepDays: number;
  readonly modified: string;
  readonly criticalPackages: readonly string[];
  readonly sideEffects: string;
  readonly fetchTimeoutSeconds: number;
  readonly fetchRetries: number;
  readonly fetchParallel: number;
  /** 0: unlimited. */
  readonly fetchRateBytesPerSecond: number;
  readonly proxies: ProxySettings;
  readonly userAgent: string;
  readonly ipVersion: 0 | 4 | 6;
  readonly caFile: PathSetting | undefined;
  readonly layout: "base" | "late" | "both";
  readonly dropinDirectories: readonly string[];
  readonly maxDecompressedBytes: number;
  readonly eventLog: PathSetting | undefined;
  readonly autoRemove: boolean;
  /** `repository`, a URL, or a path (beneath the root when it came from the file). */
  readonly auditSource: PathSetting;
  readonly auditEcosystem: string;
  readonly auditIgnore: readonly string[];
  readonly auditMaxAgeDays: number;
}

export interface SettingsInput {
  /** Values of options by key, as typed; a flag is `true`. */
  readonly options: ReadonlyMap<string, string>;
  /** Operands of `-o`, in order; a later one wins. */
  readonly overrides: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  /** `peipkg.toml`; `undefined`: there is none. */
  readonly file: { readonly path: string; readonly bytes: Uint8Array } | undefined;
  /** For the default of `user_agent`, e.g. `0.1.0`. */
  readonly version: string;
}

export interface ResolvedSettings {
  readonly settings: Settings;
  /** In table order. */
  readonly values: readonly SettingValue[];
  readonly warnings: readonly Warning[];
  /** Everything wrong, in order of reading; every command but `help` and `config` throws the first (C-CONF-11). */
  readonly problems: readonly PeipkgError[];
}

/** Variables read beside those of the table. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["PEIPKG_SIGN_KEY"]);
const WARN_ABOVE_BYTES = 4_294_967_296;

/**
 * Resolves every key.
 *
 * @see C-CONF-01, C-CONF-02, C-CONF-11, C-CONF-12, C-CONF-15
 */
export function resolveSettings(input: SettingsInput): ResolvedSettings {
  const problems: PeipkgError[] = [];
  const warnings: Warning[] = [];
  const values = new Map<string, SettingValue>();
  for (const definition of SETTINGS) {
    values.set(definition.key, { definition, value: definition.default, source: "default" });
  }
  readFile(input, values, problems);
  readEnvironment(input.environment, values, problems, warnings);
  readOverrides(input.overrides, values, problems);
  for (const [key, text] of input.options) {
    const definition = definitionOf(key);
    if (definition === undefined) throw new PeipkgError("internal", `no setting named "${key}"`);
    assign(
      values,
      definition,
      "option",
      () => parseText(definition, text, `option --${definition.option ?? key}`),
      problems,
    );
  }
  const settings = toSettings(values, input);
  if (settings.maxDecompressedBytes > WARN_ABOVE_BYTES) {
    warnings.push({
      rule: "W_LIMIT_RAISED",
      text: `the limit of unpacked package content is raised to ${settings.maxDecompressedBytes} bytes`,
    });
  }
  return { settings, values: [...values.values()], warnings, problems };
}

/**
 * Where `peipkg.toml` is to be read, before it has been read.
 *
 * @returns The root, and the configuration directory when an option or variable names one.
 */
export function resolvePlaces(
  input: Omit<SettingsInput, "file">,
): { readonly root: string; readonly configDirectory: PathSetting | undefined } {
  const { settings } = resolveSettings({ ...input, file: undefined });
  return { root: settings.root, configDirectory: settings.configDirectory };
}

function definitionOf(key: string): SettingDefinition | undefined {
  return SETTINGS.find((definition) => definition.key === key);
}

function readFile(input: SettingsInput, values: Map<string, SettingValue>, problems: PeipkgError[]): void {
  if (input.file === undefined) return;
  const { path, bytes } = input.file;
  const document = readFlatToml(bytes);
  if (document.kind === "malformed") {
    const at = document.line === undefined ? "" : ` line ${document.line}`;
    problems.push(
      new PeipkgError("config", `cannot read "${path}"${at}: ${document.problem}`, {
        file: path,
        ...(document.line === undefined ? {} : { line: document.line }),
      }),
    );
    return;
  }
  for (const entry of document.entries) {
    const definition = definitionOf(entry.key);
    const where = `"${path}" line ${entry.line}`;
    const detail = { file: path, line: entry.line, key: entry.key };
    if (definition === undefined) {
      problems.push(
        new PeipkgError("config", `cannot read ${where}: unknown key "${entry.key}"`, {
          ...detail,
          ...nearMatch(entry.key),
        }),
      );
    } else if (!definition.inFile) {
      problems.push(
        new PeipkgError(
          "config",
          `cannot read ${where}: "${entry.key}" is set by option or variable, not in this file`,
          detail,
        ),
      );
    } else {
      assign(values, definition, "file", () => parseEntry(definition, entry, where, detail), problems);
    }
  }
}

function readEnvironment(
  environment: ReadonlyMap<string, string>,
  values: Map<string, SettingValue>,
  problems: PeipkgError[],
  warnings: Warning[],
): void {
  for (const [name, text] of [...environment].sort(([a], [b]) => a < b ? -1 : 1)) {
    if (!name.startsWith("PEIPKG_") || text === "") continue; // C-CONF-03: empty counts as unset
    const key = name.slice("PEIPKG_".length).toLowerCase();
    const definition = name === variableOf(key) ? definitionOf(key) : undefined;
    if (definition === undefined) {
      if (!OTHER_VARIABLES.has(name)) {
        warnings.push({ rule: "W_ENV_UNKNOWN", text: `the variable ${name} is not known and was ignored` });
      }
      continue;
    }
    assign(values, definition, "environment", () => {
      const value = parseText(definition, text, `variable ${name}`);
      const current = values.get(key)?.value ?? definition.default;
      if (definition.tightenOnly === undefined || isTighter(definition, value, current)) return value;
      // C-CONF-15: an environment is inherited without anyone's attention, so it never loosens a protection.
      warnings.push({ rule: "W_ENV_WEAKER", text: `the variable ${name} would weaken "${key}" and was ignored` });
      return undefined;
    }, problems);
  }
}

/** Name of the variable that sets a key (C-CONF-02). */
export function variableOf(key: string): string {
  return `PEIPKG_${key.toUpperCase()}`;
}

function readOverrides(overrides: readonly string[], values: Map<string, SettingValue>, problems: PeipkgError[]): void {
  for (const override of overrides) {
    const split = override.indexOf("=");
    if (split < 1) {
      problems.push(new PeipkgError("usage", `cannot use option -o "${override}": expected KEY=VALUE`));
      continue;
    }
    const key = override.slice(0, split);
    const definition = definitionOf(key);
    if (definition === undefined) {
      problems.push(
        new PeipkgError("config", `cannot use option -o: unknown key "${key}"`, { key, ...nearMatch(key) }),
      );
      continue;
    }
    assign(
      values,
      definition,
      "override",
      () => parseText(definition, override.slice(split + 1), `option -o ${key}`),
      problems,
    );
  }
}

function assign(
  values: Map<string, SettingValue>,
  definition: SettingDefinition,
  source: SettingSource,
  parse: () => SettingRaw | undefined,
  problems: PeipkgError[],
): void {
  try {
    const value = parse();
    if (value !== undefined) values.set(definition.key, { definition, value, source });
  } catch (error) {
    if (!(error instanceof PeipkgError)) throw error;
    problems.push(error);
  }
}

/** Whether a value protects at least as much as the one in force (C-CONF-15). */
function isTighter(definition: SettingDefinition, value: SettingRaw, current: SettingRaw): boolean {
  if (typeof value === "number" && typeof current === "number") return value <= current;
  if (typeof value === "string") return value === current || current === "both";
  if (!Array.isArray(value) || !Array.isArray(current)) return false;
  const grown: ReadonlySet<unknown> = new Set(value);
  // The program's own package always counts, so leaving it out of the variable loosens nothing.
  const implied = definition.key === "critical_packages" ? ["peipkg"] : [];
  return current.every((item) => grown.has(item) || implied.includes(item));
}

type Where = { readonly key: string; readonly file?: string; readonly line?: number };

function parseEntry(definition: SettingDefinition, entry: TomlEntry, where: string, detail: Where): SettingRaw {
  const { type } = definition;
  const { value } = entry;
  const wrong = (wanted: string): PeipkgError =>
    new PeipkgError("config", `cannot read ${where}: "${definition.key}" must be ${wanted}`, detail);
  if (type.kind === "boolean") {
    if (typeof value !== "boolean") throw wrong("true or false");
    return value;
  }
  if (type.kind === "integer") {
    if (typeof value !== "bigint") throw wrong(describe(type));
    return checkValue(definition, Number(value), `cannot read ${where}`, detail);
  }
  if (type.kind === "list") {
    const items: readonly unknown[] = Array.isArray(value) ? value : [undefined];
    const texts = items.filter((item) => typeof item === "string");
    if (texts.length !== items.length) throw wrong(describe(type));
    return checkValue(definition, texts, `cannot read ${where}`, detail);
  }
  if (typeof value !== "string") throw wrong(describe(type));
  return checkValue(definition, value, `cannot read ${where}`, detail);
}

function parseText(definition: SettingDefinition, text: string, where: string): SettingRaw {
  const { type } = definition;
  const detail = { key: definition.key };
  const prefix = `cannot use ${where}`;
  switch (type.kind) {
    case "boolean":
      if (text === "true" || text === "1") return true;
      if (text === "false" || text === "0") return false;
      throw new PeipkgError("config", `${prefix}: "${text}" is neither true nor false`, detail);
    case "integer":
      return checkValue(definition, /^[0-9]{1,16}$/.test(text) ? Number(text) : NaN, prefix, detail);
    case "list":
      return checkValue(definition, text === "" ? [] : text.split(",").map((item) => item.trim()), prefix, detail);
    default:
      return checkValue(definition, text, prefix, detail);
  }
}

function checkValue(definition: SettingDefinition, value: SettingRaw, prefix: string, detail: Where): SettingRaw {
  const { type, key } = definition;
  const fail = () => new PeipkgError("config", `${prefix}: "${key}" must be ${describe(type)}`, detail);
  if (type.kind === "integer") {
    const inRange = typeof value === "number" && Number.isSafeInteger(value) && value >= type.min && value <= type.max;
    if (!inRange || (key === "ip_version" && ![0, 4, 6].includes(value))) throw fail();
  }
  if (type.kind === "word" && !(typeof value === "string" && type.words.includes(value))) throw fail();
  if (type.kind === "list" && type.items === "path" && Array.isArray(value)) {
    if (!value.every((item) => item.startsWith("/"))) throw fail();
  }
  if (type.kind === "path" && detail.file !== undefined && typeof value === "string") {
    // A relative path in a file would depend on where the program happens to be started.
    if (value !== "" && !value.startsWith("/")) throw fail();
  }
  if (typeof value === "string" && value.includes("\0")) throw fail();
  return value;
}

function describe(type: SettingType): string {
  switch (type.kind) {
    case "boolean":
      return "true or false";
    case "integer":
      return type.max === NO_LIMIT ? `an integer from ${type.min}` : `an integer from ${type.min} to ${type.max}`;
    case "word":
      return type.words.filter((item) => item !== "").map((item) => `"${item}"`).join(" or ");
    case "text":
      return "a string";
    case "path":
      return "an absolute path";
    case "list":
      return type.items === "path" ? "a list of absolute paths" : "a list of strings";
  }
}

/** A hint naming the key that was probably meant, when one is close. */
function nearMatch(key: string): { readonly hint?: string } {
  return nearHint(key, SETTINGS.map((definition) => definition.key));
}

function toSettings(values: ReadonlyMap<string, SettingValue>, input: SettingsInput): Settings {
  const read = (key: string): SettingRaw => values.get(key)?.value ?? "";
  const flag = (key: string): boolean => read(key) === true;
  const count = (key: string): number => Number(read(key));
  const text = (key: string): string => String(read(key));
  const list = (key: string): readonly string[] => {
    const value = read(key);
    return typeof value === "object" ? value : [];
  };
  const place = (key: string): PathSetting => ({
    path: text(key),
    beneathRoot: values.get(key)?.source === "file" && text(key).startsWith("/"),
  });
  const path = (key: string): PathSetting | undefined => text(key) === "" ? undefined : place(key);
  const variable = (name: string): string =>
    input.environment.get(name) ?? input.environment.get(name.toLowerCase()) ?? "";
  const ipVersion = count("ip_version");
  const layout = text("layout");
  return {
    root: text("root"),
    configDirectory: path("config_dir"),
    stateDirectory: path("state_dir"),
    cacheDirectory: path("cache_dir"),
    json: flag("json"),
    quiet: flag("quiet"),
    verbose: count("verbose"),
    color: text("color"),
    progress: flag("progress"),
    assumeYes: flag("assume_yes"),
    lockWaitSeconds: count("lock_wait"),
    architecture: text("architecture") === "" ? undefined : text("architecture"),
    autoRefreshHours: count("auto_refresh_hours"),
    maxTrustedAgeDays: count("max_trusted_age_days"),
    maxIndexStalenessDays: count("max_index_staleness_days"),
    backupKeepTransactions: count("backup_keep_transactions"),
    backupKeepDays: count("backup_keep_days"),
    modified: text("modified"),
    criticalPackages: [...new Set(["peipkg", ...list("critical_packages")])],
    sideEffects: text("side_effects"),
    fetchTimeoutSeconds: count("fetch_timeout"),
    fetchRetries: count("fetch_retries"),
    fetchParallel: count("fetch_parallel"),
    fetchRateBytesPerSecond: count("fetch_rate"),
    proxies: {
      all: text("proxy"),
      https: variable("HTTPS_PROXY"),
      http: variable("HTTP_PROXY"),
      direct: variable("NO_PROXY").split(",").map((host) => host.trim()).filter((host) => host !== ""),
    },
    userAgent: text("user_agent") === "" ? `peipkg/${input.version}` : text("user_agent"),
    ipVersion: ipVersion === 4 || ipVersion === 6 ? ipVersion : 0,
    caFile: path("ca_file"),
    layout: layout === "late" || layout === "both" ? layout : "base",
    dropinDirectories: list("dropin_directories"),
    maxDecompressedBytes: count("max_decompressed_bytes"),
    eventLog: path("event_log"),
    autoRemove: flag("auto_remove"),
    auditSource: place("audit_source"),
    auditEcosystem: text("audit_ecosystem"),
    auditIgnore: list("audit_ignore"),
    auditMaxAgeDays: count("audit_max_age_days"),
  };
}
