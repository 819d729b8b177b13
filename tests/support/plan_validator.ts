/** Judges a plan for an installed set by what must hold afterwards, without knowing how it was found. */
import { satisfiesConstraint } from "../../core/identity/constraint.ts";
import type { Plan } from "../../core/resolver/plan.ts";
import type { Candidate, PackageFacts, RelationEntry, ResolutionProblem } from "../../core/resolver/problem.ts";

/** Lists what is wrong with a plan: dependencies, conflicts, requests, order. Empty: nothing. */
export function faultsOf(problem: ResolutionProblem, plan: Plan): readonly string[] {
  const faults: string[] = [];
  const world = new Map<string, PackageFacts>();
  for (const name of problem.installed.names()) {
    const installed = problem.installed.get(name);
    if (installed !== undefined) world.set(name, installed);
  }
  const position = new Map<string, number>();
  const placed: Candidate[] = [];
  plan.operations.forEach((operation, index) => {
    const name = operation.kind === "remove" ? operation.from.name : operation.target.name;
    if (position.has(name)) faults.push(`${name} has two operations`);
    position.set(name, index);
    if (operation.kind === "remove") {
      world.delete(name);
      if (placed.length > 0) faults.push(`${name} is removed after something is placed`);
      return;
    }
    const candidate = problem.available.named(name).find((item) => item.hash === operation.target.hash);
    if (candidate === undefined) faults.push(`${name} comes from nowhere`);
    else {
      world.set(name, candidate);
      placed.push(candidate);
    }
  });
  const providers = new Map<string, PackageFacts[]>();
  for (const facts of world.values()) {
    for (const name of new Set([facts.name, ...facts.provides.map((entry) => entry.name)])) {
      providers.set(name, [...providers.get(name) ?? [], facts]);
    }
  }
  const meeting = (entry: RelationEntry, declaring: PackageFacts): readonly PackageFacts[] =>
    (providers.get(entry.name) ?? []).filter((facts) => meets(entry, declaring, facts));
  for (const candidate of placed) {
    for (const entry of candidate.dependencies) {
      const satisfiers = meeting(entry, candidate);
      if (satisfiers.length === 0) faults.push(`${candidate.name} lacks ${entry.name}`);
      // S-ORDER-03: with nothing installed before, something that fits must come earlier
      const own = position.get(candidate.name) ?? 0;
      const isReady = satisfiers.some((facts) => facts === candidate || (position.get(facts.name) ?? -1) < own);
      if (satisfiers.length > 0 && !isReady) faults.push(`${candidate.name} comes before every ${entry.name}`);
    }
    for (const entry of candidate.conflicts) {
      for (const other of meeting(entry, candidate)) {
        if (other.name !== candidate.name) faults.push(`${candidate.name} conflicts with ${other.name}`);
      }
    }
  }
  for (const request of problem.requests) {
    if (request.kind === "install" && !world.has(request.name)) faults.push(`${request.name} is absent`);
  }
  return faults;
}

function meets(entry: RelationEntry, declaring: PackageFacts, facts: PackageFacts): boolean {
  if (facts.architecture !== declaring.architecture && facts.architecture !== "noarch") return false;
  if (facts.name === entry.name && satisfiesConstraint(entry.constraint, facts.version)) return true;
  return facts.provides.some((provided) =>
    provided.name === entry.name && satisfiesConstraint(entry.constraint, provided.version)
  );
}
