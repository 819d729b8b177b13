/**
 * Security descriptors packages bring along (audit-and-security.md sections 8 and 9): what a transaction does with
 * them, decided before anything is written.
 *
 * 1. A package is installed with every descriptor it declares, or not at all (A-SDP-09, A-SDA-30). The one exception
 *    is an explicit, authorised and recorded `ignore` on a kernel without the access-control system (A-SDA-32).
 * 2. Objects the transaction makes carry their descriptor from their first instant; objects that stay are given it
 *    under the journal, with what they had before (A-SDA-11, A-SDA-12, A-SDA-31).
 * 3. What needs a yes is asked before the journal is written (T-COMMIT-04).
 */
import { PeipkgError, ruleError } from "../errors.ts";
import { COMPONENT, readDescriptor } from "../format/descriptor_reader.ts";
import { readInstalledPackage } from "../store/installed.ts";
import { readSdOverrides, type SdOverride, type SdState } from "../store/roles.ts";
import type { RootDirectory } from "../system.ts";
import type { PathRules } from "./collision.ts";
import { type ObjectKind, summariseDescriptor } from "./descriptor_display.ts";
import { DescriptorJudge } from "./descriptor_judge.ts";
import { type AuthoriseQuestion, requireAllowed } from "./descriptor_policy.ts";
import type { Diff } from "./diff.ts";
import { asFailure, hasErrno } from "./failures.ts";
import type { DescriptorNotice, Evidence, TransactionInput } from "./input.ts";
import type { Arriving } from "./scope.ts";

const OWNER_GROUP_DACL = COMPONENT.owner | COMPONENT.group | COMPONENT.dacl;

/** What the boundary writes and what is asked about descriptors. */
export interface DescriptorPlan {
  /** Rows of `sd_override` that come, in the order of the plan. */
  readonly rows: readonly Omit<SdOverride, "transaction">[];
  /** Rows that go (A-SDA-17). */
  readonly stale: readonly { readonly package: string; readonly path: string }[];
  /** In order of asking; each by itself (A-AUTH-02). */
  readonly questions: readonly AuthoriseQuestion[];
  /** Every descriptor declared, for the report (A-SDP-02). */
  readonly notices: readonly DescriptorNotice[];
}

// --- Before the disk is looked at ----------------------------------------------------------------------------------

/**
 * Refuses what no answer could allow, before the disk is looked at.
 *
 * @throws {PeipkgError} `sd-override`: `SD_UNSUPPORTED_KERNEL` where the kernel cannot apply a descriptor (A-SDA-30),
 * `E_SD_POLICY` where its repository may not bring any (A-SDP-09); `format` (`PATH_RESERVED`) below the package
 * manager's own places (A-SDP-11); `denied` (`SD_APPLY_FAILED`) where the kernel's answer is unclear (A-SDA-16)
 */
export function requireDescriptorPolicy(
  input: Pick<TransactionInput, "contents" | "options" | "root">,
  rules: PathRules,
): void {
  let isKernelKnown = false;
  for (const content of input.contents.values()) {
    const overrides = content.manifest.sdOverrides;
    if (overrides.length === 0) continue; // A-SDP-12
    const paths = overrides.map(({ path }) => ({ path: `/${path}`, package: content.name }));
    const reserved = paths.find(({ path }) => rules.isReserved(path));
    if (reserved !== undefined) {
      throw ruleError(
        "PATH_RESERVED",
        `cannot install ${content.name}: it declares a security descriptor for ${reserved.path}, which is reserved`,
        { package: content.name, paths: [{ ...reserved, rule: "PATH_RESERVED" }] },
      );
    }
    const detail = { package: content.name, paths, lines: paths.map(({ path }) => path) };
    if (!input.root.hasKacs && input.options.sdOverrides === "apply") {
      throw ruleError(
        "SD_UNSUPPORTED_KERNEL",
        `cannot install ${content.name}: it declares security descriptors, which this kernel cannot apply`,
        detail,
      );
    }
    if (!input.root.hasKacs && !isKernelKnown) isKernelKnown = requireNoKacs(input.root);
    requireAllowed(content, input.options, "it declares security descriptors", detail.lines);
  }
}

/** A-SDA-16: only `ENOSYS` says that there is no access control here. */
function requireNoKacs(root: RootDirectory): true {
  using directory = root.openDirectory("/");
  try {
    directory?.readSecurity(undefined, OWNER_GROUP_DACL);
  } catch (error) {
    if (hasErrno(error, "ENOSYS")) return true;
    throw asFailure(error, "tell whether the kernel applies security descriptors to", "/", "SD_APPLY_FAILED");
  }
  throw ruleError("SD_APPLY_FAILED", "cannot tell whether the kernel applies security descriptors: it does by now", {
    hint: "run the command again",
  });
}

// --- Plan --------------------------------------------------------------------------------------------------------

/**
 * Decides about every descriptor of a transaction whose changes are known. Adds to the change set: what objects are
 * made with, what is set on those that stay, and what is made anew because its descriptor is no longer declared.
 *
 * @throws {PeipkgError} `sd-override` (`E_SD_POLICY`) for a descriptor inherited past the first gate (A-SDP-10);
 * `denied` (`SD_APPLY_FAILED`) when what is there cannot be read
 */
export function planDescriptors(diff: Diff, input: TransactionInput): DescriptorPlan {
  return new Planning(diff, input).plan();
}

class Planning {
  readonly #rows: Omit<SdOverride, "transaction">[] = [];
  readonly #stale: { readonly package: string; readonly path: string }[] = [];
  readonly #notices: DescriptorNotice[] = [];
  readonly #recorded: readonly SdOverride[];
  readonly #byOwner = new Map<string, SdOverride>();
  readonly #origins = new Map<string, string | undefined>();
  readonly #judge: DescriptorJudge;
  /** Files the transaction puts in place, and every path it touches. */
  readonly #made = new Set<string>();
  readonly #touched = new Set<string>();

  constructor(readonly diff: Diff, readonly input: TransactionInput) {
    this.#recorded = readSdOverrides(input.database);
    for (const row of this.#recorded) this.#byOwner.set(keyOf(row), row);
    this.#judge = new DescriptorJudge(diff, input);
  }

  get #state(): SdState {
    const { root, options } = this.input;
    if (root.hasKacs) return "applied";
    return options.sdOverrides === "ignore" ? "not-applied" : "stored";
  }

  plan(): DescriptorPlan {
    const { arriving } = this.diff.context.scope;
    const declares = arriving.some(({ content }) => content.manifest.sdOverrides.length > 0);
    if (declares || this.#recorded.length > 0) {
      this.#noteChanges();
      for (const from of arriving) this.#declareAll(from);
      this.#dropStale();
      this.#noteChanges();
      this.#judge.judgeInherited(this.#recorded, this.#stale, this.#state);
    }
    const questions = [...this.#judge.questions, ...this.#ignoreQuestions()];
    return { rows: this.#rows, stale: this.#stale, questions, notices: this.#notices };
  }

  #noteChanges(): void {
    const { changes } = this.diff;
    for (const { path, newType } of [...changes.operations, ...changes.nested]) {
      this.#touched.add(path);
      if (newType === "file" || newType === "dir") this.#made.add(path);
    }
    for (const path of changes.directories) this.#made.add(path);
    for (const { path } of changes.nestedDirectories) this.#made.add(path);
  }

  #declareAll(from: Arriving): void {
    const { manifest, entries } = from.content;
    if (manifest.sdOverrides.length === 0) return;
    const directories = new Set<string>();
    for (const { path, type } of entries) if (type === "dir") directories.add(path);
    for (const { path, descriptor } of manifest.sdOverrides) {
      this.#declare(from, `/${path}`, descriptor, directories.has(`/${path}`) ? "dir" : "file");
    }
  }

  #declare(from: Arriving, path: string, descriptor: Uint8Array, kind: ObjectKind): void {
    const { content } = from;
    const before = this.#byOwner.get(keyOf({ package: content.name, path }));
    const isSame = before !== undefined && isEqual(before.descriptor, descriptor);
    const state = this.#state;
    this.#rows.push({ path, package: content.manifest.name, descriptor, state });
    const isKept = isSame && before.state === state && !from.isReinstall;
    if (state !== "not-applied") this.#place(path, descriptor, isKept);
    const parsed = readDescriptor(descriptor);
    this.#notices.push({
      package: content.name,
      version: content.version,
      path,
      state,
      summary: summariseDescriptor(parsed, kind),
    });
    // A-SDP-13: the same bytes from the same repository were agreed to.
    if (!(isSame && this.#installedOrigin(content.name) === content.repository)) {
      this.#judge.judgeDeclared(content, { path, kind, descriptor: parsed, sizeBytes: descriptor.length });
    }
  }

  #installedOrigin(name: string): string | undefined {
    if (!this.#origins.has(name)) this.#origins.set(name, readInstalledPackage(this.input.database, name)?.origin);
    return this.#origins.get(name);
  }

  /** Has an object made with the descriptor, or the one that stays given it. */
  #place(path: string, descriptor: Uint8Array, isKept: boolean): void {
    const { changes } = this.diff;
    // T-ETC-03: the operator's file stays; it and the new default beside it are both subject to the descriptor.
    for (const row of changes.newDefaults) {
      if (row.of === path && this.#made.has(row.path)) changes.descriptors.set(row.path, descriptor);
    }
    if (this.#made.has(path)) {
      changes.descriptors.set(path, descriptor);
      return;
    }
    if (isKept) return;
    const found = this.diff.found(path);
    if (found === undefined) {
      if (!this.diff.recreate(path)) return;
      changes.descriptors.set(path, descriptor);
      return;
    }
    if (found.type !== "file" && found.type !== "dir") {
      throw ruleError("SD_APPLY_FAILED", `cannot set the security descriptor of ${path}: it is not the package's own`, {
        paths: [{ path, rule: "SD_APPLY_FAILED" }],
      });
    }
    changes.securities.push({ path, type: found.type, descriptor });
  }

  /** A-SDA-17, A-SDA-18: rows of packages that no longer declare their path. */
  #dropStale(): void {
    const { scope } = this.diff.context;
    const declared = new Set(this.#rows.map(keyOf));
    const takenOver = new Set(this.#rows.map((row) => row.path));
    for (const row of this.#recorded) {
      if (!scope.touched.has(row.package) || declared.has(keyOf(row))) continue;
      const isGone = row.state === "not-applied" || takenOver.has(row.path) || this.#touched.has(row.path) ||
        this.diff.found(row.path) === undefined || this.diff.recreate(row.path);
      if (isGone) this.#stale.push({ package: row.package, path: row.path });
    }
  }

  /** A-SDA-32: one question for each package whose descriptors would be left out. */
  #ignoreQuestions(): readonly AuthoriseQuestion[] {
    if (this.#state !== "not-applied") return [];
    const counts = new Map<string, number>();
    for (const { package: name } of this.#rows) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].map(([name, count]) => ({
      kind: "authorise",
      action: "AUTH_SD_UNSUPPORTED",
      subject: name,
      data: { package: name, version: this.input.contents.get(name)?.version ?? "", count: String(count) },
      display: this.#rows.filter((row) => row.package === name).map(({ path }) => path),
    }));
  }
}

function keyOf(row: { readonly package: string; readonly path: string }): string {
  return `${row.package} ${row.path}`;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * Asks every question, each by itself.
 *
 * @returns Whether all were granted; evidence of each goes to `record`.
 * @throws {PeipkgError} `authorisation-required` (`E_AUTH_REQUIRED`) where nobody can be asked (A-AUTH-06)
 */
export async function askAboutDescriptors(
  input: TransactionInput,
  questions: readonly AuthoriseQuestion[],
  record: (
    question: AuthoriseQuestion,
    given: Pick<Evidence, "statement" | "method"> & { readonly planDigest: string | undefined },
  ) => void,
): Promise<boolean> {
  const pending = questions.map(({ action, subject, data }) => ({ action, subject, data }));
  for (const question of questions) {
    const answer = await input.ask({ ...question, pending });
    if (answer.kind !== "authorise") throw new PeipkgError("internal", "a question was answered as another kind");
    if (answer.answer === "no") return false;
    if (answer.answer === "unavailable" || answer.evidence === undefined) {
      throw ruleError("E_AUTH_REQUIRED", "elevated authorisation is needed and there is no terminal to give it on", {
        lines: questions.map(({ action, subject }) => `${action} ${subject}`),
      });
    }
    const { statement, method, planDigest } = answer.evidence;
    record(question, { statement, method, planDigest });
  }
  return true;
}
