/**
 * Who holds which role after a transaction (claims.md sections 3, 6 and 8): a pure choice from declarations, the
 * holders of before, and what was asked for. Planning shows it, the transaction repeats it under the lock.
 */
import { ruleError, type Warning } from "../errors.ts";
import { parseManifest } from "../format/manifest.ts";
import type { Relations } from "../format/relations.ts";
import { compareBytes } from "../identity/safe_path.ts";
import type { Database } from "../store/database.ts";
import { readManifestText, readRelatedPackages } from "../store/installed.ts";
import { readHolders } from "../store/roles.ts";
import type { ClaimRequest, HolderChange } from "./input.ts";

/** A package the plan brings. */
export interface ClaimSubject {
  readonly name: string;
  readonly relations: Relations;
  /** Named by the operator. */
  readonly isNamed: boolean;
  /** Not an upgrade, downgrade or reinstall of the same name. */
  readonly isNew: boolean;
}

/** One slot one package declares for a role. */
export interface RoleDeclaration {
  readonly package: string;
  readonly role: string;
  readonly slot: string;
  /** Logical path; `undefined`: a provider without a default path. */
  readonly path: string | undefined;
  /** Logical path of the target; `undefined`: a consumer. */
  readonly target: string | undefined;
  /** A consumer that cannot do without (C-WD-05). */
  readonly isRequired: boolean;
}

export interface HolderPlan {
  readonly changes: readonly HolderChange[];
  /** Roles whose inputs change (C-REC-01). */
  readonly roles: ReadonlySet<string>;
  /** Holder after the transaction of every role in `roles` that has one. */
  readonly holders: ReadonlyMap<string, string>;
  /** Declarations for the roles in `roles` by every package installed after the transaction. */
  readonly declarations: readonly RoleDeclaration[];
  readonly warnings: readonly Warning[];
}

export interface HolderInput {
  readonly arriving: readonly ClaimSubject[];
  /** Every package whose rows change: removed, replaced, upgraded. */
  readonly touched: ReadonlySet<string>;
  readonly request: ClaimRequest;
  readonly allowCritical: boolean;
}

/** The slots a package declares, on either side. */
export function declarationsOf(name: string, relations: Relations): readonly RoleDeclaration[] {
  const found: RoleDeclaration[] = [];
  const add = (role: string, entry: Relations["provides"][number]["claims"][number], isRequired: boolean): void => {
    found.push({
      package: name,
      role,
      slot: entry.slot,
      path: entry.path === undefined ? undefined : `/${entry.path}`,
      target: entry.target === undefined ? undefined : `/${entry.target}`,
      isRequired,
    });
  };
  for (const { name: role, claims } of relations.provides) for (const entry of claims) add(role, entry, false);
  for (const { name: role, claims } of relations.dependencies) for (const entry of claims) add(role, entry, true);
  for (const { name: role, claims } of relations.optionalDependencies) {
    for (const entry of claims) add(role, entry, false);
  }
  return found;
}

/**
 * Chooses the holders.
 *
 * @param database `undefined`: nothing is installed yet.
 * @throws {PeipkgError} `not-eligible` (`CLAIM_NOT_PROVIDER`), `unresolvable` (`CLAIM_AMBIGUOUS`), `not-held`
 * (`CLAIM_NOT_HELD`), `critical` (`CLAIM_REQUIRED`)
 * @see C-AUTO-01 to C-AUTO-07, C-CMD-02, C-CMD-03, C-WD-01 to C-WD-05
 */
export function planHolders(database: Database | undefined, input: HolderInput): HolderPlan {
  return new HolderChoice(database, input).plan();
}

class HolderChoice {
  readonly #arriving = new Map<string, readonly RoleDeclaration[]>();
  readonly #before = new Map<string, string>();
  readonly #stored = new Map<string, readonly RoleDeclaration[]>();
  readonly #warnings: Warning[] = [];

  constructor(readonly database: Database | undefined, readonly input: HolderInput) {
    for (const { name, relations } of input.arriving) this.#arriving.set(name, declarationsOf(name, relations));
    if (database === undefined) return;
    for (const { role, holder } of readHolders(database)) this.#before.set(role, holder);
  }

  plan(): HolderPlan {
    const roles = this.#affectedRoles();
    const changes: HolderChange[] = [];
    const holders = new Map<string, string>();
    const declarations: RoleDeclaration[] = [];
    for (const role of [...roles].sort(compareBytes)) {
      const own = this.#declarations(role);
      declarations.push(...own);
      const change = this.#choose(role, own);
      if (change.to !== undefined) holders.set(role, change.to);
      if (change.from === change.to) continue;
      if (change.to === undefined) this.#checkWithdrawal(role, own, change);
      changes.push(change);
    }
    return { changes, roles, holders, declarations, warnings: this.#warnings };
  }

  #affectedRoles(): Set<string> {
    const { request, touched } = this.input;
    const roles = new Set<string>([...request.forced, ...request.assign.map(({ role }) => role)]);
    for (const list of this.#arriving.values()) for (const { role } of list) roles.add(role);
    for (const name of touched) for (const { role } of this.#storedDeclarations(name)) roles.add(role);
    for (const [role, holder] of this.#before) if (request.reconcileAll || touched.has(holder)) roles.add(role);
    return roles;
  }

  /** Declarations for one role by everything installed afterwards. */
  #declarations(role: string): readonly RoleDeclaration[] {
    const found: RoleDeclaration[] = [];
    for (const list of this.#arriving.values()) found.push(...list.filter((entry) => entry.role === role));
    const { database } = this;
    if (database === undefined) return found;
    const names = new Set<string>();
    for (const kind of ["provides", "dependency", "optional"] as const) {
      for (const name of readRelatedPackages(database, role, kind)) names.add(name);
    }
    for (const name of names) {
      if (this.input.touched.has(name) || this.#arriving.has(name)) continue;
      found.push(...this.#storedDeclarations(name).filter((entry) => entry.role === role));
    }
    return found;
  }

  #storedDeclarations(name: string): readonly RoleDeclaration[] {
    const known = this.#stored.get(name);
    if (known !== undefined) return known;
    const found = this.#readDeclarations(name);
    this.#stored.set(name, found);
    return found;
  }

  #readDeclarations(name: string): readonly RoleDeclaration[] {
    const text = this.database === undefined ? undefined : readManifestText(this.database, name);
    // Most packages claim nothing; their manifests need not be parsed.
    if (text === undefined || !text.includes('"claims"')) return [];
    try {
      return declarationsOf(name, parseManifest(new TextEncoder().encode(text), "both"));
    } catch {
      this.#warnings.push({
        rule: "W_MANIFEST_STALE",
        text: `the stored manifest of ${name} cannot be read; its claims are left out`,
      }); // C-REC-22
      return [];
    }
  }

  #choose(role: string, own: readonly RoleDeclaration[]): HolderChange {
    const from = this.#before.get(role);
    const eligible = new Set(own.filter((entry) => entry.target !== undefined).map((entry) => entry.package));
    const asked = this.#asked(role, from, eligible);
    if (asked !== undefined) return asked;
    if (from !== undefined && eligible.has(from)) return { role, from, to: from, cause: "auto" };
    const to = this.#automatic(role, eligible); // C-AUTO-02: only where nobody holds it any more
    return { role, from, to, cause: to === undefined ? "withdraw" : "auto" };
  }

  /** What the operator asked for by name: grant, revoke, undo, `--claim`, `--claim-all`. */
  #asked(role: string, from: string | undefined, eligible: ReadonlySet<string>): HolderChange | undefined {
    const { request } = this.input;
    const assignment = request.assign.find((entry) => entry.role === role);
    if (assignment !== undefined) {
      const { holder, isUndo } = assignment;
      if (holder === undefined) {
        if (from === undefined && !isUndo) {
          throw ruleError("CLAIM_NOT_HELD", `cannot revoke "${role}": nobody holds it`);
        }
        return { role, from, to: undefined, cause: "revoke" };
      }
      if (eligible.has(holder)) return { role, from, to: holder, cause: "grant" };
      if (!isUndo) throw notProvider(role, holder);
      // C-TXN-04: the prior holder is not there any more.
      this.#warnings.push({
        rule: "W_CLAIM_WITHDRAWN",
        text: `claim "${role}" stays unheld: ${holder} cannot hold it`,
      });
      return { role, from, to: undefined, cause: "withdraw" };
    }
    const named = this.#named().filter((name) => eligible.has(name));
    const isForced = request.forced.includes(role);
    if (!isForced && !(request.all && named.length > 0)) return undefined;
    const [first, second] = named;
    if (first === undefined) throw notProvider(role, undefined); // C-FLAG-07
    if (isForced && second !== undefined) {
      throw ruleError("CLAIM_AMBIGUOUS", `cannot claim "${role}": ${named.join(" and ")} could both hold it`, {
        hint: `install one of them first, or run 'peipkg claim ${role} grant ${first}' afterwards`,
      }); // C-FLAG-08
    }
    return { role, from, to: first, cause: "force" };
  }

  /** Packages named by the operator, in byte order. */
  #named(): readonly string[] {
    const names = new Set(this.input.request.named ?? []);
    for (const subject of this.input.arriving) if (subject.isNamed) names.add(subject.name);
    return [...names].sort(compareBytes);
  }

  /** C-AUTO-01, C-AUTO-03, C-AUTO-04 */
  #automatic(role: string, eligible: ReadonlySet<string>): string | undefined {
    if (this.input.request.none) return undefined;
    const candidates = this.input.arriving.filter(({ name, isNew }) =>
      eligible.has(name) && (isNew || !this.#wasEligible(name, role))
    );
    candidates.sort((a, b) => Number(b.isNamed) - Number(a.isNamed) || compareBytes(a.name, b.name));
    return candidates[0]?.name;
  }

  #wasEligible(name: string, role: string): boolean {
    return this.#storedDeclarations(name).some((entry) => entry.role === role && entry.target !== undefined);
  }

  #checkWithdrawal(role: string, own: readonly RoleDeclaration[], change: HolderChange): void {
    const needy = own.find((entry) => entry.isRequired && entry.path !== undefined);
    if (needy !== undefined && !this.input.allowCritical) {
      throw ruleError(
        "CLAIM_REQUIRED",
        `cannot take "${role}" from ${change.from ?? "its holder"}: ${needy.package} needs ${needy.path ?? "its path"}`,
        { hint: "grant the role to another package first, or pass --allow-critical", package: needy.package },
      ); // C-WD-05
    }
    if (change.cause !== "withdraw") return;
    const others = [...new Set(own.filter((entry) => entry.target !== undefined).map((entry) => entry.package))].sort(
      compareBytes,
    );
    const [first] = others;
    if (first === undefined) return;
    this.#warnings.push({
      rule: "W_CLAIM_WITHDRAWN",
      text: `claim "${role}" withdrawn — packages ${others.join(", ")} also provide it; ` +
        `run 'peipkg claim ${role} grant ${first}' to assign a new holder`,
    }); // C-WD-03
  }
}

function notProvider(role: string, name: string | undefined): Error {
  const who = name ?? "none of the packages named";
  return ruleError("CLAIM_NOT_PROVIDER", `cannot claim "${role}": ${who} ${name ? "does not provide" : "provides"} it`);
}
