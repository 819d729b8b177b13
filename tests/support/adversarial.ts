/** Worlds built to be hard: each is small to write and large to search. */
import { parsePackageName } from "../../core/identity/package_name.ts";
import type { Candidate, ResolutionProblem } from "../../core/resolver/problem.ts";
import { candidateOf, problemOf } from "./resolution_world.ts";
import type { Dice } from "./random_world.ts";

/** Worked example 91: a doomed conflict behind many free choices. */
export function doomedBehindChoices(pairs: number): ResolutionProblem {
  const virtuals = numbers(pairs).map((index) => `v${index}`);
  const available = [
    `app 1.0@O {d: agent; ${virtuals.join("; ")}}`,
    "agent 1.0@O {c: lib}",
    ...numbers(pairs).flatMap((index) => [`pa${index} 1.0@O {p: v${index}}`, `pb${index} 1.0@O {p: v${index}}`]),
  ];
  return problemOf({ available: available.join("; "), installed: "lib 1.0@O", request: "install app" });
}

/** A chain of dependencies; `closed` makes its end depend on its beginning. */
export function chain(length: number, closed: boolean): ResolutionProblem {
  const available = numbers(length).map((index) =>
    index + 1 < length ? `n${index} 1.0@O {d: n${index + 1}}` : `n${index} 1.0@O${closed ? " {d: n0}" : ""}`
  );
  return problemOf({ available: available.join("; "), installed: "", request: "install n0" });
}

/** A chain without end, made as it is asked for. */
export function endlessChain(): ResolutionProblem {
  const problem = problemOf({ available: "", installed: "", request: "install n0" });
  const template = candidateOf("n0 1.0@O");
  const named = (name: string): readonly Candidate[] => [{
    ...template,
    name: parsePackageName(name),
    dependencies: [{ name: `n${Number(name.slice(1)) + 1}`, constraint: undefined }],
  }];
  return { ...problem, available: { named, providersOf: () => [], replacersOf: () => [], nearNames: () => [] } };
}

/** More packages than places, each place for one: no plan, and no short proof. */
export function pigeonhole(pigeons: number, holes: number): ResolutionProblem {
  const available = [`app 1.0@O {d: ${numbers(pigeons).map((pigeon) => `pigeon${pigeon}`).join("; ")}}`];
  for (const pigeon of numbers(pigeons)) {
    for (const hole of numbers(holes)) {
      const others = numbers(pigeons).filter((other) => other !== pigeon).map((other) => `p${other}x${hole}`);
      available.push(`p${pigeon}x${hole} 1.0@O {c: ${others.join("; ")}, p: pigeon${pigeon}}`);
    }
  }
  return problemOf({ available: available.join("; "), installed: "", request: "install app" });
}

/** Random three-way choices over packages with two versions, near the ratio where instances are hardest. */
export function randomChoices(dice: Dice, variables: number, clauses: number): ResolutionProblem {
  const provided = new Map<string, string[]>();
  for (const clause of numbers(clauses)) {
    const chosen = new Set<number>();
    while (chosen.size < 3) chosen.add(dice.below(variables));
    for (const variable of chosen) {
      const key = `${variable} ${1 + dice.below(2)}`;
      provided.set(key, [...provided.get(key) ?? [], `clause${clause}`]);
    }
  }
  const available = [`app 1.0@O {d: ${numbers(clauses).map((clause) => `clause${clause}`).join("; ")}}`];
  for (const variable of numbers(variables)) {
    for (const version of [1, 2]) {
      const entries = provided.get(`${variable} ${version}`) ?? [];
      available.push(`x${variable} ${version}.0@O${entries.length === 0 ? "" : ` {p: ${entries.join("; ")}}`}`);
    }
  }
  return problemOf({ available: available.join("; "), installed: "", request: "install app" });
}

/** One name in very many versions, of which the dependency wants the lowest. */
export function manyVersions(count: number): ResolutionProblem {
  const available = numbers(count).map((index) => `lib ${index + 1}.0@O`);
  available.push("app 1.0@O {d: lib <= 1.0}");
  return problemOf({ available: available.join("; "), installed: "", request: "install app" });
}

/** Every installed package must move because the one they all need does. */
export function massRepair(count: number): ResolutionProblem {
  const available = ["base 2.0@O", ...numbers(count).map((index) => `n${index} 2.0@O {d: base >= 2}`)];
  const installed = ["base 1.0@O", ...numbers(count).map((index) => `n${index} 1.0@O {d: base < 2}`)];
  return problemOf({ available: available.join("; "), installed: installed.join("; "), request: "upgrade base" });
}

/** Strong candidates that all fail, weak ones that may not be used (S-SELECT-07), behind free choices. */
export function shadowedBehindChoices(pairs: number): ResolutionProblem {
  const choices = numbers(pairs);
  const available = [
    `app 1.0@O {d: ${choices.map((index) => `v${index}`).join("; ")}; wanted}`,
    "strong 1.0@O {d: missing, p: wanted}",
    "weak 1.0@X {p: wanted}",
    ...choices.flatMap((index) => [`pa${index} 1.0@O {p: v${index}}`, `pb${index} 1.0@O {p: v${index}}`]),
  ];
  return problemOf({ available: available.join("; "), installed: "", request: "install app" });
}

/**
 * A full upgrade none of whose targets can move, because all need a newer version of one locked package; every target
 * has two versions and a free choice, so that each repetition must be proven to fail.
 */
export function allHeldBack(count: number): ResolutionProblem {
  const available = ["libc 2.0@O", "pa 1.0@O {p: v}", "pb 1.0@O {p: v}"];
  const installed = ["libc 1.0@O"];
  for (const index of numbers(count)) {
    available.push(`n${index} 2.0@O {d: libc >= 2; v}`, `n${index} 1.5@O {d: libc >= 2}`);
    installed.push(`n${index} 1.0@O {d: libc}`);
  }
  return problemOf({
    available: available.join("; "),
    installed: installed.join("; "),
    request: "upgrade [held: libc]",
  });
}

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
