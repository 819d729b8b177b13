/**
 * A small clause-learning satisfiability solver: it proves that some choices cannot go together. Deterministic: no
 * randomness, no clock; work is counted, in conflicts and in assignments. Variables are numbered from 0; a literal is `2 * variable`, or
 * one more for its negation.
 */

/** The literal that says a variable is true. */
export function positive(variable: number): number {
  return variable << 1;
}

/** The opposite of a literal. */
export function negated(literal: number): number {
  return literal ^ 1;
}

const UNASSIGNED = -1;
/** Assignments allowed for every conflict allowed: many easy questions cost as much as few hard ones. */
const ASSIGNMENTS_PER_CONFLICT = 150;
/** Every value may be set and unset a few times before a question is answered. */
const ASSIGNMENTS_PER_VARIABLE = 4;
/** Conflicts between restarts are this times the Luby sequence. */
const RESTART_UNIT = 64;
const ACTIVITY_DECAY = 1 / 0.95;
const ACTIVITY_LIMIT = 1e100;

/** Learnt clauses kept before the less useful half is dropped; grows with each drop. */
const LEARNT_CLAUSES = 2_000;
const LEARNT_GROWTH = 1.1;
/** Learnt clauses over so few decision levels are always kept. */
const USEFUL_SPREAD = 2;

/** A clause; its first two literals are the watched ones. */
type Clause = number[];

interface Learnt {
  readonly clause: Clause;
  /** Number of decision levels it spanned when learnt: fewer is more useful. */
  readonly spread: number;
}

export class Solver {
  /** Conflicts met and values assigned so far, over all calls. */
  #conflicts = 0;
  #assignments = 0;
  /** Assignments allowed so far. */
  #maxAssignments: number;
  readonly #watches: Clause[][] = [];
  /** Per literal: 1 true, 0 false, -1 unassigned. */
  #values = new Int8Array(0);
  readonly #level: number[] = [];
  readonly #reason: (Clause | undefined)[] = [];
  readonly #phase: boolean[] = [];
  readonly #activity: number[] = [];
  readonly #trail: number[] = [];
  readonly #levelStarts: number[] = [];
  readonly #seen: boolean[] = [];
  readonly #heap: number[] = [];
  readonly #heapAt: number[] = [];
  #learnt: Learnt[] = [];
  #learntLimit = LEARNT_CLAUSES;
  #head = 0;
  #bump = 1;
  #contradictory = false;

  /** @param maxConflicts Allowance over all calls, with a matching one of assignments; beyond it `solve()` gives up. */
  constructor(readonly maxConflicts: number) {
    this.#maxAssignments = maxConflicts * ASSIGNMENTS_PER_CONFLICT;
  }

  /** Allows as many more assignments as one more question takes that needs no conflict. */
  renew(): void {
    this.#maxAssignments += ASSIGNMENTS_PER_VARIABLE * this.#level.length;
  }

  /** Adds a variable. @param preferred Value tried first. */
  addVariable(preferred: boolean): number {
    const variable = this.#level.length;
    this.#watches.push([], []);
    if (this.#values.length < 2 * variable + 2) {
      const grown = new Int8Array(Math.max(64, 4 * variable + 4)).fill(UNASSIGNED);
      grown.set(this.#values.subarray(0, 2 * variable));
      this.#values = grown;
    }
    this.#level.push(0);
    this.#reason.push(undefined);
    this.#phase.push(preferred);
    this.#activity.push(preferred ? 1e-3 : 0);
    this.#seen.push(false);
    this.#heapAt.push(-1);
    this.#enqueueVariable(variable);
    return variable;
  }

  /** Adds a clause, at least one of whose literals must hold. */
  addClause(literals: readonly number[]): void {
    this.#backtrack(0);
    const kept: number[] = [];
    for (const literal of new Set(literals)) {
      const value = this.#values[literal];
      if (value === 1 || kept.includes(negated(literal))) return;
      if (value !== 0) kept.push(literal);
    }
    const [first, second] = kept;
    if (first === undefined) this.#contradictory = true;
    else if (second === undefined) this.#assign(first, undefined);
    else this.#watch(kept);
  }

  /**
   * Looks for values that satisfy every clause under the assumptions.
   *
   * @returns Whether there are any; `undefined` when the allowance is used up.
   */
  solve(assumptions: readonly number[]): boolean | undefined {
    this.#backtrack(0);
    if (this.#contradictory) return false;
    if (this.#isSpent()) return undefined;
    let restarts = 0;
    let untilRestart = RESTART_UNIT * luby(restarts);
    for (;;) {
      const conflict = this.#propagate();
      if (conflict !== undefined) {
        if (this.#levelStarts.length === 0) {
          this.#contradictory = true;
          return false;
        }
        this.#conflicts++;
        if (this.#isSpent()) return undefined;
        untilRestart--;
        this.#learn(conflict);
        continue;
      }
      if (untilRestart <= 0) {
        untilRestart = RESTART_UNIT * luby(++restarts);
        this.#backtrack(0);
        if (this.#learnt.length > this.#learntLimit) this.#dropLearnt();
        continue;
      }
      const decided = this.#decide(assumptions);
      if (decided !== undefined) return decided;
    }
  }

  /** Value of a variable in the values found last. */
  isTrue(variable: number): boolean {
    return this.#values[positive(variable)] === 1;
  }

  /** Makes the next decision; `true`: all is assigned, `false`: an assumption is refuted. */
  #decide(assumptions: readonly number[]): boolean | undefined {
    for (let level = this.#levelStarts.length; level < assumptions.length; level = this.#levelStarts.length) {
      const literal = assumptions[level];
      if (literal === undefined) break;
      const value = this.#values[literal];
      if (value === 0) return false;
      this.#levelStarts.push(this.#trail.length);
      if (value === UNASSIGNED) {
        this.#assign(literal, undefined);
        return undefined;
      }
    }
    for (let variable = this.#dequeueVariable(); variable !== undefined; variable = this.#dequeueVariable()) {
      if (this.#values[positive(variable)] !== UNASSIGNED) continue;
      this.#levelStarts.push(this.#trail.length);
      this.#assign(this.#phase[variable] === true ? positive(variable) : negated(positive(variable)), undefined);
      return undefined;
    }
    return true;
  }

  #isSpent(): boolean {
    return this.#conflicts > this.maxConflicts || this.#assignments > this.#maxAssignments;
  }

  #watch(clause: Clause): void {
    this.#watches[negated(clause[0] ?? 0)]?.push(clause);
    this.#watches[negated(clause[1] ?? 0)]?.push(clause);
  }

  #assign(literal: number, reason: Clause | undefined): void {
    const variable = literal >> 1;
    this.#assignments++;
    this.#values[literal] = 1;
    this.#values[literal ^ 1] = 0;
    this.#level[variable] = this.#levelStarts.length;
    this.#reason[variable] = reason;
    this.#trail.push(literal);
  }

  /** Follows unit clauses; the clause that fails, if one does. */
  #propagate(): Clause | undefined {
    const values = this.#values;
    while (this.#head < this.#trail.length) {
      const literal = this.#trail[this.#head++] ?? 0;
      const watching = this.#watches[literal] ?? [];
      const falsified = literal ^ 1;
      let kept = 0;
      for (let at = 0; at < watching.length; at++) {
        const clause = watching[at] ?? [];
        if (clause[0] === falsified) {
          clause[0] = clause[1] ?? 0;
          clause[1] = falsified;
        }
        const first = clause[0] ?? 0;
        if (values[first] === 1) {
          watching[kept++] = clause;
          continue;
        }
        let moved = false;
        for (let other = 2; other < clause.length; other++) {
          const candidate = clause[other] ?? 0;
          if (values[candidate] === 0) continue;
          clause[1] = candidate;
          clause[other] = falsified;
          this.#watches[candidate ^ 1]?.push(clause);
          moved = true;
          break;
        }
        if (moved) continue;
        watching[kept++] = clause;
        if (values[first] === 0) {
          for (at++; at < watching.length; at++) watching[kept++] = watching[at] ?? [];
          watching.length = kept;
          this.#head = this.#trail.length;
          return clause;
        }
        this.#assign(first, clause);
      }
      watching.length = kept;
    }
    return undefined;
  }

  /** Learns the first unique implication point of a conflict and goes back to where it decides something. */
  #learn(conflict: Clause): void {
    const learnt: Clause = [0];
    let open = 0;
    let at = this.#trail.length - 1;
    let clause: Clause = conflict;
    const current = this.#levelStarts.length;
    for (;;) {
      for (const literal of clause) {
        const variable = literal >> 1;
        // a reason clause also holds the literal it implied, which is the one being resolved on
        if (this.#seen[variable] === true || this.#level[variable] === 0 || this.#values[literal] === 1) continue;
        this.#seen[variable] = true;
        this.#bumpVariable(variable);
        if (this.#level[variable] === current) open++;
        else learnt.push(literal);
      }
      while (this.#seen[(this.#trail[at] ?? 0) >> 1] !== true) at--;
      const literal = this.#trail[at--] ?? 0;
      this.#seen[literal >> 1] = false;
      if (--open === 0) {
        learnt[0] = negated(literal);
        break;
      }
      clause = this.#reason[literal >> 1] ?? [];
    }
    let back = 0;
    for (let index = 1; index < learnt.length; index++) {
      const literal = learnt[index] ?? 0;
      this.#seen[literal >> 1] = false;
      const level = this.#level[literal >> 1] ?? 0;
      if (level <= back) continue;
      back = level;
      // the second watch is a literal of the level gone back to
      learnt[index] = learnt[1] ?? 0;
      learnt[1] = literal;
    }
    this.#bump *= ACTIVITY_DECAY;
    const spread = new Set(learnt.map((literal) => this.#level[literal >> 1])).size;
    this.#backtrack(back);
    if (learnt.length === 1) {
      this.#assign(learnt[0] ?? 0, undefined);
    } else {
      this.#learnt.push({ clause: learnt, spread });
      this.#watch(learnt);
      this.#assign(learnt[0] ?? 0, learnt);
    }
  }

  /** Drops the less useful half of what was learnt; only at level 0, where nothing rests on a clause any more. */
  #dropLearnt(): void {
    const ordered = [...this.#learnt].sort((a, b) => a.spread - b.spread || a.clause.length - b.clause.length);
    const half = ordered.length >> 1;
    const dropped = new Set<Clause>();
    ordered.forEach((learnt, index) => {
      if (index >= half && learnt.spread > USEFUL_SPREAD) dropped.add(learnt.clause);
    });
    this.#learnt = this.#learnt.filter((learnt) => !dropped.has(learnt.clause));
    this.#watches.forEach((clauses, literal) => {
      if (clauses.length > 0) this.#watches[literal] = clauses.filter((clause) => !dropped.has(clause));
    });
    this.#learntLimit *= LEARNT_GROWTH;
  }

  #backtrack(level: number): void {
    const start = this.#levelStarts[level];
    if (start === undefined) return;
    for (let at = this.#trail.length - 1; at >= start; at--) {
      const literal = this.#trail[at] ?? 0;
      const variable = literal >> 1;
      this.#values[literal] = UNASSIGNED;
      this.#values[literal ^ 1] = UNASSIGNED;
      this.#phase[variable] = (literal & 1) === 0;
      this.#enqueueVariable(variable);
    }
    this.#trail.length = start;
    this.#levelStarts.length = level;
    this.#head = start;
  }

  #bumpVariable(variable: number): void {
    const activity = (this.#activity[variable] ?? 0) + this.#bump;
    this.#activity[variable] = activity;
    if (activity > ACTIVITY_LIMIT) {
      for (let other = 0; other < this.#activity.length; other++) {
        this.#activity[other] = (this.#activity[other] ?? 0) / ACTIVITY_LIMIT;
      }
      this.#bump /= ACTIVITY_LIMIT;
    }
    if ((this.#heapAt[variable] ?? -1) >= 0) this.#siftUp(this.#heapAt[variable] ?? 0);
  }

  #enqueueVariable(variable: number): void {
    if ((this.#heapAt[variable] ?? -1) >= 0) return;
    this.#heapAt[variable] = this.#heap.length;
    this.#heap.push(variable);
    this.#siftUp(this.#heap.length - 1);
  }

  /** The most active variable; equal ones by number, so that runs repeat. */
  #dequeueVariable(): number | undefined {
    const top = this.#heap[0];
    const last = this.#heap.pop();
    if (top === undefined || last === undefined) return undefined;
    this.#heapAt[top] = -1;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#heapAt[last] = 0;
      this.#siftDown(0);
    }
    return top;
  }

  #isAbove(a: number, b: number): boolean {
    const left = this.#activity[a] ?? 0;
    const right = this.#activity[b] ?? 0;
    return left !== right ? left > right : a < b;
  }

  #siftUp(start: number): void {
    let at = start;
    const variable = this.#heap[at] ?? 0;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent] ?? 0;
      if (!this.#isAbove(variable, above)) break;
      this.#heap[at] = above;
      this.#heapAt[above] = at;
      at = parent;
    }
    this.#heap[at] = variable;
    this.#heapAt[variable] = at;
  }

  #siftDown(start: number): void {
    let at = start;
    const variable = this.#heap[at] ?? 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#heap.length) break;
      const right = this.#heap[child + 1];
      if (right !== undefined && this.#isAbove(right, this.#heap[child] ?? 0)) child++;
      const below = this.#heap[child] ?? 0;
      if (!this.#isAbove(below, variable)) break;
      this.#heap[at] = below;
      this.#heapAt[below] = at;
      at = child;
    }
    this.#heap[at] = variable;
    this.#heapAt[variable] = at;
  }
}

/** The Luby sequence 1 1 2 1 1 2 4 …, by index from 0. */
function luby(index: number): number {
  let size = 1;
  let power = 0;
  while (size < index + 1) {
    size = 2 * size + 1;
    power++;
  }
  let left = index;
  while (size - 1 !== left) {
    size = (size - 1) >> 1;
    power--;
    left %= size;
  }
  return 2 ** power;
}
