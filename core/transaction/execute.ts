/**
 * One transaction from its plan to its report (T-COMMIT-04 to T-COMMIT-17). It either takes effect as a whole at one
 * instant, the commit of the boundary, or everything is as it was.
 *
 * ```
 * prepared ─record─▶ staging ─flip─▶ applying ─COMMIT─▶ committed ─▶ tidy, effects, prune
 *     │                 │               │        └─ unknown: nothing more is touched
 *     └ O0, no trace    └── rollBack() ─┴─▶ rolled back, or indeterminate
 * ```
 *
 * 1. Nothing exists on disk that the journal does not name (step 5 before step 6).
 * 2. Final paths change only in phase `applying`, which is durable before (step 10 before step 11).
 * 3. Every change is durable before the boundary (step 12 before step 13).
 * 4. After the boundary nothing can fail the transaction; what goes wrong is a warning.
 */
import { PeipkgError, ruleError, type Warning } from "../errors.ts";
import { insertPrior } from "../store/history.ts";
import {
  insertAuthorisations,
  insertDirectories,
  insertFiles,
  insertOperations,
  insertSideEffects,
  insertTransaction,
  type JournalDirectory,
  recordApplying,
  recordAudited,
  recordCleaned,
  type TransactionPhase,
  transactionState,
} from "../store/journal.ts";
import { applyChanges, turn, YIELD_MILLISECONDS } from "./apply.ts";
import { writeBoundary } from "./boundary.ts";
import { securityRows } from "./descriptor_access.ts";
import { DirectoryPool } from "./directories.ts";
import { Durability } from "./durability.ts";
import { recordOutcomes, runSideEffects } from "./effects.ts";
import { asFailure, describeFailure } from "./failures.ts";
import { type HousekeepingResult, tidyCommitted } from "./housekeeping.ts";
import type { FileNotice, SideEffectOutcome, TransactionInput, TransactionReport } from "./input.ts";
import { parentPath } from "./names.ts";
import { IdentityCheck } from "./objects.ts";
import { type PreparedTransaction, prepareTransaction } from "./prepare.ts";
import { placeWords, RetainedAreas } from "./retained.ts";
import { pruneRetained, retainsBackups } from "./retention.ts";
import { rollBack, rollbackError } from "./revert.ts";
import { makeDirectories, shield, stageContents, type StageContext } from "./stage.ts";

/** The database could not tell how a `COMMIT` ended: neither files nor database may be touched any more. */
class UnknownOutcome extends Error {
  constructor(readonly failure: PeipkgError) {
    super(failure.message);
  }
}

/**
 * Runs one transaction. The caller holds the writer lock, has recovered, and has verified every package.
 *
 * @throws {PeipkgError} The cause; `detail.rolledBack` says whether a transaction had been opened and was undone.
 * @see T-MODEL-02 to T-MODEL-05, T-COMMIT-43, T-COMMIT-44
 */
export async function executeTransaction(input: TransactionInput): Promise<TransactionReport> {
  using pool = new DirectoryPool(input.root);
  const { signal } = input.session;
  if (signal.aborted) throw signal.reason;
  let prepared;
  try {
    prepared = await prepareTransaction(input, pool);
  } catch (error) {
    throw asFailure(error, "examine", "the installed files"); // FP-11
  }
  if (prepared.kind === "cancelled") return cancelledReport(prepared.reason);
  if (isEmpty(input, prepared)) return emptyReport(prepared);
  for (const notice of prepared.descriptors.notices) input.session.emit({ kind: "descriptor", ...notice });
  return await new Execution(input, prepared).run();
}

function isEmpty(input: TransactionInput, { changes, claims }: PreparedTransaction): boolean {
  return input.plan.operations.length === 0 && claims.holders.length === 0 && changes.operations.length === 0 &&
    changes.securities.length === 0;
}

class Execution {
  readonly #input: TransactionInput;
  readonly #prepared: PreparedTransaction;
  readonly #directories: readonly JournalDirectory[];
  #phase: TransactionPhase = "staging";

  constructor(input: TransactionInput, prepared: PreparedTransaction) {
    this.#input = input;
    this.#prepared = prepared;
    this.#directories = [
      ...securityRows(prepared.pool, prepared.changes.securities),
      ...prepared.changes.directories.map((path) => ({ path, action: "create" as const })),
      ...prepared.changes.reclaim.map((path) => ({ path, action: "reclaim" as const })),
    ];
  }

  async run(): Promise<TransactionReport> {
    const { session } = this.#input;
    const { id } = this.#prepared;
    this.#recordIntent();
    session.emit({ kind: "transaction", id });
    try {
      await this.#stageAndApply();
      await this.#commit();
    } catch (error) {
      // T-COMMIT-44: the next start decides from a freshly opened database.
      if (error instanceof UnknownOutcome) throw error.failure;
      throw this.#rollBack(error);
    }
    session.emit({ kind: "committed", id });
    return await this.#finish();
  }

  /** Step 5. A failure leaves nothing, or a pending row without objects (FP-12, FP-13). */
  #recordIntent(): void {
    const { database, session } = this.#input;
    database.write(() => {
      const id = insertTransaction(database, {
        kind: this.#input.kind,
        undoOf: this.#input.undoOf,
        startedAt: Math.floor(this.#input.startedAt / 1000),
        summary: this.#input.summary,
        operator: this.#input.operator,
        invocation: session.invocation,
        version: session.version,
        bootId: session.system.machine.bootId ?? "",
      });
      if (id !== this.#prepared.id) {
        throw new PeipkgError("internal", `transaction ${id} was opened where ${this.#prepared.id} was expected`);
      }
      this.#recordRows(id);
    });
  }

  #recordRows(id: number): void {
    const { database, session, operator, evidence, startedAt, state, options } = this.#input;
    const { pool, scope, changes, claims, effects, decisions } = this.#prepared;
    insertOperations(database, id, [...scope.operations, ...claims.operations]);
    insertFiles(database, id, changes.operations);
    insertDirectories(database, id, this.#directories);
    const holders = claims.holders.map(({ role, from }) => ({ role, holder: from }));
    const areas = new RetainedAreas(state.directory, pool, id);
    const retained = retainsBackups(options) ? areas.runs(changes.operations) : [];
    insertPrior(database, id, scope.touched.keys(), holders, retained);
    const facts = { invocation: session.invocation, decidedAt: Math.floor(startedAt / 1000), operator };
    const given = evidence.map((entry) => ({ ...entry, planDigest: entry.planDigest }));
    insertAuthorisations(database, id, facts, [...given, ...decisions]);
    insertSideEffects(database, id, effects);
  }

  /** Steps 6 to 12. */
  async #stageAndApply(): Promise<void> {
    const { session, database } = this.#input;
    const { pool, rules, changes, mode, id } = this.#prepared;
    using durability = new Durability(pool);
    const begun = session.system.monotonic();
    const context: StageContext = {
      session,
      pool,
      durability,
      identity: new IdentityCheck(),
      rules,
      mode,
      isPrivileged: session.system.machine.euid === 0,
    };
    openBarriers(pool, durability, changes);
    makeDirectories(context, changes);
    await stageContents(context, changes);
    shield(context, changes);
    durability.settle(); // barrier 1
    // A turn takes 2 ms, and what was quick to stage is soon at the next one.
    if (session.system.monotonic() - begun >= YIELD_MILLISECONDS) await turn(context);
    this.#writeSurely(() => recordApplying(database, id, changes.bringing));
    this.#phase = "applying";
    const steps = changes.operations.length;
    session.emit({ kind: "progress", phase: "apply", step: Math.min(1, steps), steps: Math.max(1, steps) });
    await applyChanges(context, changes.operations);
    durability.settle(); // barrier 2
  }

  /** Step 13. */
  async #commit(): Promise<void> {
    const { session, database } = this.#input;
    const { id, scope, changes, claims, descriptors } = this.#prepared;
    session.emit({ kind: "progress", phase: "commit", step: 1, steps: 1 });
    database.begin();
    try {
      writeBoundary(this.#input, { id, scope, changes, claims, descriptors, finishedAt: this.#now() });
      await turn({ session }); // T-COMMIT-29: the last moment a signal counts
    } catch (error) {
      database.rollback();
      throw error;
    }
    const outcome = database.commit();
    if (outcome.kind === "committed") return;
    if (outcome.kind === "not-committed" && this.#isStillPending()) throw outcome.error; // T-COMMIT-43
    throw new UnknownOutcome(
      ruleError(
        "TXN_OUTCOME_UNKNOWN",
        `cannot tell whether transaction ${id} was committed: ${outcome.error.message}`,
        {
          transaction: id,
          hint: "run 'peipkg recover'",
          cause: outcome.error,
        },
      ),
    );
  }

  #isStillPending(): boolean {
    try {
      this.#input.database.rollback();
      return transactionState(this.#input.database, this.#prepared.id) === "pending";
    } catch {
      return false;
    }
  }

  /** A write whose failure is either certain, so that rolling back is right, or unknown (FP-29). */
  #writeSurely(work: () => void): void {
    const { database } = this.#input;
    database.begin();
    try {
      work();
    } catch (error) {
      database.rollback();
      throw error;
    }
    const outcome = database.commit();
    if (outcome.kind === "committed") return;
    if (outcome.kind === "unknown") throw new UnknownOutcome(outcome.error);
    database.rollback();
    throw outcome.error;
  }

  #rollBack(cause: unknown): unknown {
    const { database, session } = this.#input;
    const { id, pool, reader, changes } = this.#prepared;
    session.emit({ kind: "rolling-back", id });
    const failure = asPeipkgError(cause);
    const result = rollBack(
      { database, pool, reader },
      { id, phase: this.#phase, files: changes.operations, directories: this.#directories },
      { code: failure.detail.rule ?? failure.code, detail: failure.message },
      () => this.#now(),
    );
    for (const warning of result.warnings) session.emit({ kind: "warning", warning });
    if (result.kind === "rolled-back") this.#audit();
    return rollbackError(failure, result, id);
  }

  /** Steps 14 to 17: nothing in here fails the transaction. */
  async #finish(): Promise<TransactionReport> {
    const { session, database } = this.#input;
    const { id, changes, claims, scope } = this.#prepared;
    const warnings: Warning[] = [...changes.warnings];
    session.emit({ kind: "progress", phase: "finish", step: 1, steps: 1 });
    const isAudited = this.#emitAudit(warnings);
    const tidied = this.#tidy();
    warnings.push(...tidied.warnings);
    let sideEffects: readonly SideEffectOutcome[] = [];
    try {
      // T-CLEAN-04: a tool must not see a backup; while one is left in a live directory the effects stay due.
      if (tidied.isComplete) {
        const effects = await runSideEffects({ ...this.#input, sideEffects: this.#input.options.sideEffects }, false);
        sideEffects = effects.outcomes;
        warnings.push(...effects.warnings);
      }
      database.write(() => {
        recordOutcomes(database, sideEffects);
        if (isAudited) recordAudited(database, id);
        if (tidied.isComplete) recordCleaned(database, id);
      });
      warnings.push(...this.#prune());
    } catch (error) {
      warnings.push({ rule: "W_HOUSEKEEPING", text: `the next command repeats the rest: ${describeFailure(error)}` });
    }
    await session.system.sleep(0); // C-SIG-05: in this turn a signal that came since the commit is delivered
    return {
      kind: "committed",
      cancelReason: undefined,
      transaction: id,
      operations: Math.max(1, scope.operations.length),
      holders: claims.holders,
      files: [...changes.notices, ...this.#displacedNotices(tidied)],
      descriptors: this.#prepared.descriptors.notices,
      sideEffects,
      warnings,
      interruptedAfterCommit: session.signal.aborted,
    };
  }

  #tidy(): HousekeepingResult {
    const { database, state, options } = this.#input;
    const { id, pool, rules, changes } = this.#prepared;
    const context = { database, pool, state: state.directory, rules, retains: retainsBackups(options) };
    return tidyCommitted(context, id, changes.operations, this.#directories, false);
  }

  #prune(): readonly Warning[] {
    const { database, state, options } = this.#input;
    const context = { database, pool: this.#prepared.pool, state: state.directory };
    return pruneRetained(context, options, this.#now()).warnings;
  }

  #displacedNotices(tidied: HousekeepingResult): readonly FileNotice[] {
    const { scope, changes } = this.#prepared;
    const notices: FileNotice[] = [];
    if (tidied.displaced.size === 0) return notices;
    for (const change of changes.operations) {
      const place = tidied.displaced.get(change.path);
      if (place === undefined) continue;
      notices.push({
        kind: "displaced",
        path: change.path,
        package: scope.operations[change.operation]?.subject ?? "",
        place: place.startsWith("/") ? place : placeWords(place, this.#input.state.logicalPath ?? "STATE"),
      });
    }
    return notices;
  }

  #emitAudit(warnings: Warning[]): boolean {
    try {
      return this.#input.audit(this.#prepared.id, false);
    } catch (error) {
      warnings.push({ rule: "AUDIT_WRITE_FAILED", text: `cannot write audit records: ${describeFailure(error)}` });
      return false;
    }
  }

  /** The events of a transaction that was rolled back; when they cannot be written, the next start tries (FP-66). */
  #audit(): void {
    const { database, session } = this.#input;
    const warnings: Warning[] = [];
    try {
      if (this.#emitAudit(warnings)) database.write(() => recordAudited(database, this.#prepared.id));
    } catch (error) {
      warnings.push({ rule: "AUDIT_WRITE_FAILED", text: `cannot write audit records: ${describeFailure(error)}` });
    }
    for (const warning of warnings) session.emit({ kind: "warning", warning });
  }

  /** Seconds since the epoch, read apart from the start (T-CONV-02). */
  #now(): number {
    return Math.floor(this.#input.session.system.now() / 1000);
  }
}

/** Opens one barrier per file system, before anything is written there (T-COMMIT-40). */
function openBarriers(pool: DirectoryPool, durability: Durability, changes: PreparedTransaction["changes"]): void {
  for (const parent of changes.parents) durability.prepare(pool.nearest(parent));
  for (const path of changes.directories) durability.prepare(pool.nearest(path));
  for (const { path, type } of changes.securities) {
    durability.prepare(pool.nearest(type === "dir" ? path : parentPath(path)));
  }
}

function asPeipkgError(cause: unknown): PeipkgError {
  if (cause instanceof PeipkgError) return cause;
  const failure = asFailure(cause, "change", "the installed files");
  if (failure instanceof PeipkgError) return failure;
  return new PeipkgError("internal", describeFailure(cause), { cause });
}

function cancelledReport(reason: "modified-abort" | "authorisation-declined"): TransactionReport {
  return { ...NOTHING, kind: "cancelled", cancelReason: reason };
}

function emptyReport(prepared: PreparedTransaction): TransactionReport {
  return { ...NOTHING, files: prepared.changes.notices, warnings: prepared.changes.warnings };
}

const NOTHING: TransactionReport = {
  kind: "committed",
  cancelReason: undefined,
  transaction: undefined,
  operations: 0,
  holders: [],
  files: [],
  descriptors: [],
  sideEffects: [],
  warnings: [],
  interruptedAfterCommit: false,
};
