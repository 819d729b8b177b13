/**
 * The second gate of one transaction (A-SDP-04 to A-SDP-10): which descriptors, declared or inherited, need a yes, and
 * what is shown with each question.
 */
import { COMPONENT, readDescriptor, type SecurityDescriptor } from "../format/descriptor_reader.ts";
import { findDescriptorFault } from "../format/security_descriptor.ts";
import { readInstalledPackage } from "../store/installed.ts";
import type { SdOverride, SdState } from "../store/roles.ts";
import { describeDescriptor, type ObjectKind, renderSddl, summariseDescriptor } from "./descriptor_display.ts";
import { type AuthoriseQuestion, descriptorSource, findConcerns, requireAllowed } from "./descriptor_policy.ts";
import type { Diff } from "./diff.ts";
import { type Inherited, inheritThrough } from "./inheritance.ts";
import type { ContentSource, TransactionInput } from "./input.ts";
import { parentPath } from "./names.ts";

/** A descriptor a package declares for one of its paths. */
export interface DeclaredDescriptor {
  /** Logical path. */
  readonly path: string;
  readonly kind: ObjectKind;
  readonly descriptor: SecurityDescriptor;
  readonly sizeBytes: number;
}

/** A directory whose descriptor comes from a package. */
interface Cover {
  /** `undefined`: the recorded bytes are none (A-INPUT-14). */
  readonly descriptor: SecurityDescriptor | undefined;
  /** As recorded, and not set again by this transaction. */
  readonly isUnchanged: boolean;
}

/** Objects of one package that inherit the same descriptor: one question (A-SDP-10). */
interface InheritingGroup {
  readonly content: ContentSource;
  readonly directory: string;
  readonly kind: ObjectKind;
  readonly inherited: Inherited;
  readonly paths: string[];
}

export class DescriptorJudge {
  readonly questions: AuthoriseQuestion[] = [];
  readonly #operatorSid: string | undefined;
  readonly #operator: string;

  constructor(readonly diff: Diff, readonly input: TransactionInput) {
    const { sid, userName } = input.session.system.machine;
    this.#operatorSid = sid;
    this.#operator = sid ?? userName ?? "the operator";
  }

  /** Adds a question where gate 2 wants one (A-SDP-04). */
  judgeDeclared(content: ContentSource, declared: DeclaredDescriptor): void {
    const { path, kind, descriptor, sizeBytes } = declared;
    const concerns = findConcerns(descriptor, descriptorSource(content, this.input.options), this.#operatorSid);
    if (concerns.length === 0) return;
    this.questions.push({
      kind: "authorise",
      action: "AUTH_SD_OVERRIDE",
      subject: path,
      data: {
        package: content.name,
        version: content.version,
        path,
        summary: summariseDescriptor(descriptor, kind),
        sddl: renderSddl(descriptor),
      },
      display: [
        ...describeDescriptor(path, kind, descriptor, sizeBytes, this.#inheritedAt(path, kind), this.#operator),
        ...concerns.map((concern) => `  asked because ${concern}`),
      ],
    });
  }

  /**
   * Judges what new objects inherit from directories whose descriptor came from a package.
   *
   * @throws {PeipkgError} `sd-override` (`E_SD_POLICY`): the installing package's repository may bring no descriptors
   */
  judgeInherited(
    recorded: readonly SdOverride[],
    stale: readonly { readonly package: string; readonly path: string }[],
    state: SdState,
  ): void {
    const covers = this.#covers(recorded, stale, state);
    if (covers.size === 0) return;
    for (const group of this.#inheritingGroups(covers)) this.#judgeGroup(group);
  }

  #covers(
    recorded: readonly SdOverride[],
    stale: readonly { readonly package: string; readonly path: string }[],
    state: SdState,
  ): ReadonlyMap<string, Cover> {
    const { scope } = this.diff.context;
    const gone = new Set(stale.map((row) => `${row.package} ${row.path}`));
    const covers = new Map<string, Cover>();
    for (const row of recorded) {
      if (row.state === "not-applied" || gone.has(`${row.package} ${row.path}`)) continue;
      const isSound = findDescriptorFault(row.descriptor) === undefined;
      covers.set(row.path, { descriptor: isSound ? readDescriptor(row.descriptor) : undefined, isUnchanged: true });
    }
    if (state === "not-applied") return covers;
    const { changes } = this.diff;
    const set = new Set(changes.securities.map(({ path }) => path));
    for (const { content } of scope.arriving) {
      for (const { path, descriptor } of content.manifest.sdOverrides) {
        const logical = `/${path}`;
        if (!set.has(logical) && !changes.descriptors.has(logical)) continue; // as it was
        covers.set(logical, { descriptor: readDescriptor(descriptor), isUnchanged: false });
      }
    }
    return covers;
  }

  #inheritingGroups(covers: ReadonlyMap<string, Cover>): Iterable<InheritingGroup> {
    const groups = new Map<string, InheritingGroup>();
    for (const { path, kind, content } of this.#madeObjects()) {
      const found = this.#nearestCover(covers, path);
      if (found === undefined) continue;
      const { directory, levels, cover } = found;
      if (cover.isUnchanged && this.#wasOwned(content, path)) continue; // A-SDP-13
      const key = `${content.name} ${directory} ${levels} ${kind}`;
      const group = groups.get(key);
      if (group !== undefined) group.paths.push(path);
      else {
        const inherited: Inherited = cover.descriptor === undefined
          ? { kind: "unknown" }
          : inheritThrough(cover.descriptor, levels, kind, {});
        // Nothing of the package's descriptor reaches it (A-SDA-21).
        if (inherited.kind !== "default") groups.set(key, { content, directory, kind, inherited, paths: [path] });
      }
    }
    return groups.values();
  }

  /** Objects without a descriptor of their own that the transaction makes for a package. */
  *#madeObjects(): Generator<{ readonly path: string; readonly kind: ObjectKind; readonly content: ContentSource }> {
    const { changes, context: { scope } } = this.diff;
    const byOperation = new Map(scope.arriving.map(({ operation, content }) => [operation, content]));
    for (const change of [...changes.operations, ...changes.nested]) {
      if (change.newType !== "file" && change.newType !== "dir") continue;
      const content = byOperation.get(change.operation);
      if (content === undefined || changes.descriptors.has(change.path)) continue;
      yield { path: change.path, kind: change.newType, content };
    }
    for (const path of [...changes.directories, ...changes.nestedDirectories.map((item) => item.path)]) {
      const content = scope.arrivingDirectories.get(path)?.content;
      if (content !== undefined && !changes.descriptors.has(path)) yield { path, kind: "dir", content };
    }
  }

  #nearestCover(
    covers: ReadonlyMap<string, Cover>,
    path: string,
  ): { readonly directory: string; readonly levels: number; readonly cover: Cover } | undefined {
    let levels = 0;
    for (let directory = parentPath(path);; directory = parentPath(directory), levels++) {
      const cover = covers.get(directory);
      if (cover !== undefined) return { directory, levels, cover };
      if (directory === "/") return undefined;
    }
  }

  #wasOwned(content: ContentSource, path: string): boolean {
    const { scope } = this.diff.context;
    const isOwn = scope.leavingFiles.get(path)?.package === content.name ||
      scope.leavingDirectories.get(content.name)?.has(path) === true;
    return isOwn && readInstalledPackage(this.input.database, content.name)?.origin === content.repository;
  }

  #judgeGroup({ content, directory, kind, inherited, paths }: InheritingGroup): void {
    requireAllowed(
      content,
      this.input.options,
      `its files would inherit the security descriptor a package set on ${directory}`,
      paths,
    );
    const source = descriptorSource(content, this.input.options);
    const isUnknown = inherited.kind !== "descriptor";
    const concerns = isUnknown
      ? source.kind === "official" ? [] : ["what it inherits cannot be computed"]
      : findConcerns(inherited.descriptor, source, this.#operatorSid);
    if (concerns.length === 0) return;
    const [first = directory] = paths;
    const more = paths.length > 1 ? ` (and ${paths.length - 1} more below ${directory})` : "";
    const summary = isUnknown ? "inherited, contents unknown" : summariseDescriptor(inherited.descriptor, kind);
    this.questions.push({
      kind: "authorise",
      action: "AUTH_SD_OVERRIDE",
      subject: first,
      data: {
        package: content.name,
        version: content.version,
        path: `${first}${more}`,
        summary: `${summary}, inherited from ${directory}`,
      },
      display: [
        ...paths.map((path) => `${path} would inherit from ${directory}`),
        ...(isUnknown
          ? ["  inheritance unknown"]
          : describeDescriptor(first, kind, inherited.descriptor, 0, inherited, this.#operator).slice(1)),
        ...concerns.map((concern) => `  asked because ${concern}`),
      ],
    });
  }

  /** What an object would inherit where it is (A-SDD-06). */
  #inheritedAt(path: string, kind: ObjectKind): Inherited {
    const { pool } = this.diff.context;
    if (!pool.root.hasKacs) return { kind: "unknown" }; // A-SDA-33
    let levels = 0;
    for (let place = parentPath(path);; place = parentPath(place), levels++) {
      const declared = this.#declaredFor(place);
      if (declared !== undefined) return this.#inherit(declared, levels, kind);
      try {
        const directory = pool.open(place);
        if (directory !== undefined) {
          const bytes = directory.readSecurity(undefined, COMPONENT.owner | COMPONENT.group | COMPONENT.dacl);
          return this.#inherit(bytes, levels, kind);
        }
      } catch {
        return { kind: "unknown" }; // A-SDA-22
      }
      if (place === "/") return { kind: "unknown" };
    }
  }

  #inherit(bytes: Uint8Array, levels: number, kind: ObjectKind): Inherited {
    try {
      return inheritThrough(readDescriptor(bytes), levels, kind, { owner: this.#operatorSid });
    } catch {
      return { kind: "unknown" };
    }
  }

  #declaredFor(path: string): Uint8Array | undefined {
    const { changes } = this.diff;
    return changes.descriptors.get(path) ?? changes.securities.find((item) => item.path === path)?.descriptor;
  }
}
