/** `peipkg config` */
import {
  listRepositories,
  PeipkgError,
  type RepositoryListing,
  type SettingSource,
  type SettingValue,
} from "../../mod.ts";
import { hasFlag, UsageError } from "../arguments.ts";
import { escapeText } from "../escape.ts";
import type { Invocation } from "../invocation.ts";
import { repositoryDocument } from "./repo/list.ts";

const KEY_WIDTH = 28;

/** Where a value came from, as people and programs see it; `-o` is an option too. */
const SOURCES: Readonly<Record<SettingSource, string>> = {
  option: "option",
  override: "option",
  environment: "environment",
  file: "file",
  default: "default",
};

/** A value as TOML: JSON's strings, numbers, booleans and lists are TOML's. */
const tomlText = (value: SettingValue["value"] | undefined): string =>
  value === undefined
    ? ""
    : typeof value === "object"
    ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]`
    : JSON.stringify(value);

/** One line of C-CONFIG-01, escaped. */
function settingLine({ definition, value, source }: SettingValue): string {
  return `${definition.key.padEnd(KEY_WIDTH)}${escapeText(tomlText(value))}  (${SOURCES[source]})`;
}

/** A repository as an indented block, escaped; absent limits are those of the settings above. */
function repositoryLines(item: RepositoryListing): readonly string[] {
  if (item.kind === "invalid") return [`repository ${escapeText(item.handle)}  [invalid]`];
  const { handle, ...values } = item.configuration;
  const keyed = Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) => {
    const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    return `  ${key.padEnd(KEY_WIDTH - 2)}${escapeText(tomlText(value))}`;
  });
  return [`repository ${escapeText(handle)}`, ...keyed];
}

function findSetting(values: readonly SettingValue[], key: string, words: string): SettingValue {
  const found = values.find(({ definition }) => definition.key === key);
  if (found !== undefined) return found;
  const among = values.map(({ definition }) => definition.key);
  throw new UsageError(words, `there is no configuration key "${key}"`, { near: { word: key, among } });
}

export async function run({ args, screen, workspace }: Invocation): Promise<0 | 1> {
  const opened = await workspace();
  const { resolved } = opened;
  const [problem] = resolved.problems;
  if (hasFlag(args.options, "check")) {
    if (problem !== undefined) {
      const lines = resolved.problems.slice(1).map(({ message }) => message);
      throw new PeipkgError(problem.code, problem.message, { ...problem.detail, lines });
    }
    screen.document({ ok: true });
    screen.line("configuration is valid");
    return 0;
  }
  const [key] = args.operands;
  const changed = hasFlag(args.options, "changed");
  const onlyRepositories = hasFlag(args.options, "repositories");
  const repositories = key !== undefined || changed ? [] : listRepositories(opened);
  const values = key === undefined
    ? resolved.values.filter(({ source }) => !onlyRepositories && (!changed || source !== "default"))
    : [findSetting(resolved.values, key, args.words)];
  screen.document({
    options: values.map(({ definition, value, source }) => ({ key: definition.key, value, source: SOURCES[source] })),
    repositories: repositories.map(repositoryDocument),
  });
  if (key === undefined) { for (const value of values) screen.line(settingLine(value)); }
  else {
    for (const { value } of values) {
      for (const item of typeof value === "object" ? value : [value]) screen.line(escapeText(String(item)));
    }
  }
  for (const item of repositories) screen.lines(repositoryLines(item));
  // What is wrong is shown beside what is in force (C-CONF-11).
  for (const { message } of resolved.problems) screen.aside(`${screen.mode.program}: config: ${escapeText(message)}`);
  return 0;
}
