import assert from "node:assert/strict";
import { parsePackageName } from "../../../core/identity/package_name.ts";
import type { Rejection } from "../../../core/resolver/derivation.ts";
import type { Plan } from "../../../core/resolver/plan.ts";
import { solve } from "../../../core/resolver/solve.ts";
import { answerText, candidateOf, candidateSource, problemOf, type WorldText } from "../../support/resolution_world.ts";

function planOf(world: WorldText): Plan {
  const answer = solve(problemOf(world));
  if (answer.kind !== "plan") throw new assert.AssertionError({ message: `rejected: ${answer.rule}` });
  return answer;
}

function rejectionOf(world: WorldText): Rejection {
  const answer = solve(problemOf(world));
  if (answer.kind !== "rejection") throw new assert.AssertionError({ message: answerText(answer) });
  return answer;
}

function causes(plan: Plan): readonly string[] {
  return plan.operations.map((operation) => {
    const name = operation.kind === "remove" ? operation.from.name : operation.target.name;
    return `${name}: ${operation.cause.kind}${"by" in operation.cause ? ` by ${operation.cause.by}` : ""}`;
  });
}

function reasons(plan: Plan): readonly string[] {
  return plan.operations.flatMap((operation) =>
    operation.kind === "remove" ? [] : [`${operation.target.name} ${operation.reason}`]
  );
}

function heldBack(plan: Plan): readonly string[] {
  return plan.heldBack.map((item) => `${item.name} ${item.version.raw} ${item.available.raw} ${item.reason}`);
}

Deno.test("S-REQ-04, S-REASON-03: solve() answers worked example 88 with a mark and no operation", () => {
  const plan = planOf({ available: "lib 1.1@O", installed: "lib 1.0@O", request: "install lib", automatic: ["lib"] });
  assert.deepEqual(plan.operations, []);
  assert.deepEqual(plan.marks, [{ name: "lib", reason: "explicit" }]);
});

Deno.test("S-REASON-01, S-PLAN-04: solve() names reason and cause of every operation", () => {
  const plan = planOf({
    available: "app 1.0@O {d: lib >= 2}; lib 2.0@O {r: old}; user 2.0@O {d: lib >= 2}",
    installed: "lib 1.0@O; old 1.0@O; user 1.0@O {d: lib < 2}",
    request: "install app",
    automatic: ["lib", "user"],
  });
  assert.deepEqual(causes(plan), [
    "old: replaces by lib",
    "lib: dependency by app",
    "app: requested",
    "user: repair by user",
  ]);
  // S-REPL-05: `old` was explicit, so its successor is; S-REASON-02: the repair keeps the reason
  assert.deepEqual(reasons(plan), ["lib explicit", "app explicit", "user dependency"]);
});

Deno.test("S-REASON-02: solve() keeps the reason of an upgraded package", () => {
  const world = { available: "lib 2.0@O", installed: "lib 1.0@O", automatic: ["lib"] };
  assert.deepEqual(reasons(planOf({ ...world, request: "upgrade" })), ["lib dependency"]);
  assert.deepEqual(reasons(planOf({ ...world, request: "upgrade lib" })), ["lib dependency"]);
});

Deno.test("S-REASON-04: solve() makes what a request names explicit, whatever it was", () => {
  const world = { available: "", installed: "foo 1.0@O", automatic: ["foo"] };
  assert.deepEqual(reasons(planOf({ ...world, request: "install ./foo 2.0" })), ["foo explicit"]);
});

Deno.test("S-UNDO-02: solve() gives a restored package the reason it had", () => {
  const problem = problemOf({ available: "lib 1.0@O; lib 2.0@O", installed: "lib 2.0@O", request: "restore lib 1.0" });
  const [request] = problem.requests;
  assert.ok(request?.kind === "restore");
  const answer = solve({ ...problem, requests: [{ ...request, reason: "dependency" }] });
  assert.ok(answer.kind === "plan");
  assert.deepEqual(reasons(answer), ["lib dependency"]);
});

Deno.test("S-UNDO-04: solve() restores from retained content first, and takes no other package from it", () => {
  const retained = { ...candidateOf("lib 1.0@X"), hash: "f".repeat(64) };
  const problem = problemOf({
    available: "lib 1.0@O; app 1.0@O {d: lib}",
    installed: "",
    request: "restore lib 1.0",
  });
  const source = candidateSource([
    ...problem.available.named("lib"),
    ...problem.available.named("app"),
    { ...retained, origin: { kind: "retained", repository: "X", priority: 50 } },
  ]);
  const restored = solve({ ...problem, available: source });
  assert.ok(restored.kind === "plan");
  assert.ok(restored.operations[0]?.kind === "install" && restored.operations[0].target.origin.kind === "retained");
  const app = { kind: "install", name: parsePackageName("app") } as const;
  const installed = solve({ ...problem, requests: [app], available: source });
  assert.ok(installed.kind === "plan");
  assert.equal(answerText(installed), "+lib 1.0@O, +app 1.0@O");
});

Deno.test("S-UNDO-03, T-UNDO-04, T-UNDO-08: solve() lists every package an undo has no source for, and cascades nothing", () => {
  const rejection = rejectionOf({
    available: "",
    installed: "aa 2.0@O",
    request: "restore aa 1.0; restore bb 1.0",
    options: { cascade: true },
  });
  assert.equal(rejection.rule, "E_UNDO_UNAVAILABLE");
  assert.deepEqual(rejection.missing, ["aa", "bb"]);
  const blocked = rejectionOf({
    available: "",
    installed: "lib 1.0@O; app 1.0@O {d: lib}",
    request: "remove lib",
    operation: "undo",
    options: { cascade: true },
  });
  assert.equal(blocked.rule, "E_REMOVAL_BLOCKED");
});

Deno.test("S-HOLD-02, S-UPG-05: solve() lists what a full upgrade holds back, with the word", () => {
  const examples = [
    ["aa 2.0@O; bb 2.0@O", "aa 1.0@O; bb 1.0@O", "upgrade [held: aa]", ["aa 1.0-1 2.0-1 held"]],
    ["foo 2.0@O {r: bar}", "foo 1.0@O; bar 1.0@O", "upgrade [held: bar]", ["foo 1.0-1 2.0-1 held"]],
    [
      "nginx 2.0@O; nginx-mod 2.0@O {d: nginx >= 2}",
      "nginx 1.0@O; nginx-mod 1.0@O {d: nginx}",
      "upgrade [held: nginx]",
      ["nginx 1.0-1 2.0-1 held", "nginx-mod 1.0-1 2.0-1 held"],
    ],
    ["lib 2.0@O", "app 1.0@O {d: lib < 2}; lib 1.0@O", "upgrade [held: app]", ["lib 1.0-1 2.0-1 held"]],
  ] as const;
  for (const [available, installed, request, expected] of examples) {
    assert.deepEqual(heldBack(planOf({ available, installed, request })), expected, request);
  }
});

Deno.test("S-UPG-03: solve() leaves excluded names out of a full upgrade", () => {
  const problem = problemOf({ available: "aa 2.0@O; bb 2.0@O", installed: "aa 1.0@O; bb 1.0@O", request: "upgrade" });
  const answer = solve({ ...problem, requests: [{ kind: "upgrade-all", exclude: ["aa"] }] });
  assert.ok(answer.kind === "plan");
  assert.equal(answerText(answer), "↑bb 1.0→2.0@O");
});

Deno.test("S-UPG-04: solve() places a successor of two packages once", () => {
  const plan = planOf({
    available: "both 2.0@O {r: left; right}",
    installed: "left 1.0@O; right 1.0@O",
    request: "upgrade",
  });
  assert.equal(answerText(plan), "−left, −right, +both 2.0@O");
});

Deno.test("S-REQ-01, S-REQ-02: solve() collapses equal requests and refuses contradictory ones", () => {
  const world = { available: "aa 1.0@O; aa 2.0@O", installed: "" };
  assert.equal(answerText(planOf({ ...world, request: "install aa; install aa" })), "+aa 2.0@O");
  assert.equal(rejectionOf({ ...world, request: "install ./aa 1.0; install ./aa 2.0" }).rule, "E_REQ_CONTRADICTORY");
  assert.equal(rejectionOf({ ...world, request: "install ./aa 3.0; install aa" }).rule, "E_REQ_CONTRADICTORY");
});

Deno.test("S-REQ-05: solve() refuses to upgrade, downgrade or remove what is not installed", () => {
  for (const request of ["upgrade aa", "downgrade aa 1.0", "remove aa", "reinstall aa"]) {
    assert.equal(rejectionOf({ available: "aa 1.0@O", installed: "", request }).rule, "E_NOT_INSTALLED", request);
  }
});

Deno.test("S-REQ-06, S-ELIG-05: solve() lets dependencies move back only when that is allowed", () => {
  const world = { available: "app 1.0@O {d: lib < 2}; lib 1.0@O", installed: "lib 2.0@O", request: "install app" };
  const rejection = rejectionOf(world);
  assert.equal(rejection.rule, "E_VERSION_REGRESSION");
  assert.deepEqual([rejection.subject, rejection.installedVersion], ["lib", "2.0-1"]);
  assert.deepEqual(rejection.suggestions, [
    { kind: "allow-downgrade", moves: [{ name: "lib", from: "2.0-1", to: "1.0-1" }] },
  ]);
  const plan = planOf({ ...world, options: { allowDowngrade: true } });
  assert.equal(answerText(plan), "↓lib 2.0→1.0@O, +app 1.0@O **DOWNGRADE(lib)**");
});

Deno.test("S-REQ-06: solve() installs a named version, and calls an older one a regression", () => {
  const world = { available: "aa 1.0@O; aa 2.0@O", installed: "" };
  assert.equal(answerText(planOf({ ...world, request: "install aa 1.0" })), "+aa 1.0@O");
  assert.equal(rejectionOf({ ...world, request: "install aa 3.0" }).rule, "E_VERSION_NOT_AVAILABLE");
  assert.equal(
    rejectionOf({ ...world, installed: "aa 2.0@O", request: "install aa 1.0" }).rule,
    "E_VERSION_REGRESSION",
  );
});

Deno.test("S-ELIG-04: solve() writes a reinstalled package again, and no other", () => {
  const world = { available: "aa 1.0@O {d: bb}; bb 1.0@O", installed: "aa 1.0@O {d: bb}; bb 1.0@O" };
  assert.equal(answerText(planOf({ ...world, request: "reinstall aa" })), "=aa 1.0@O");
  assert.equal(rejectionOf({ ...world, available: "", request: "reinstall aa" }).rule, "E_VERSION_NOT_AVAILABLE");
  assert.equal(rejectionOf({ ...world, request: "reinstall aa [held: aa]" }).rule, "E_HELD");
});

Deno.test("S-LOCAL-02, S-LOCAL-03: solve() writes a local file of the installed version when asked to, and only then", () => {
  const world = { available: "aa 1.0@O; aa 2.0@O", installed: "aa 1.0@O" };
  assert.equal(answerText(planOf({ ...world, request: "install ./aa 1.0" })), "nothing to do");
  assert.equal(answerText(planOf({ ...world, request: "reinstall ./aa 1.0" })), "=aa 1.0 (local)");
  assert.equal(answerText(planOf({ ...world, request: "reinstall ./aa 2.0" })), "↑aa 1.0→2.0 (local)");
  assert.equal(answerText(planOf({ ...world, installed: "", request: "reinstall ./aa 1.0" })), "+aa 1.0 (local)");
  assert.equal(rejectionOf({ ...world, request: "reinstall ./aa 1.0 [held: aa]" }).rule, "E_HELD");
});

Deno.test("S-ELIG-06, S-HOLD-01: solve() does not let a replacement take a held package", () => {
  const rejection = rejectionOf({
    available: "foo 1.0@O {r: bar}",
    installed: "bar 1.0@O",
    request: "install foo [held: bar]",
  });
  assert.equal(rejection.rule, "E_HELD");
  assert.equal(rejection.subject, "bar");
  assert.deepEqual(rejection.suggestions, [{ kind: "unlock", name: "bar" }]);
});

Deno.test("S-ELIG-08, S-CRIT-01, S-CRIT-03: solve() guards critical packages from replacement, unless told otherwise", () => {
  const world = { available: "foo 1.0@O {r: peipkg}", installed: "peipkg 1.0@O", request: "install foo" };
  const rejection = rejectionOf(world);
  assert.equal(rejection.rule, "E_CRITICAL");
  assert.deepEqual(rejection.suggestions, [{ kind: "allow-critical", name: "peipkg" }]);
  assert.equal(answerText(planOf({ ...world, options: { allowCritical: true } })), "−peipkg, +foo 1.0@O");
});

Deno.test("S-CONF-03, S-CRIT-02: solve() guards critical and held packages from conflicts", () => {
  const world = { available: "foo 1.0@O {c: bar}", installed: "bar 1.0@O", request: "install foo [--cascade]" };
  assert.equal(rejectionOf({ ...world, options: { cascade: true, critical: ["bar"] } }).rule, "E_CRITICAL");
  assert.equal(rejectionOf({ ...world, request: "install foo [--cascade, held: bar]" }).rule, "E_HELD");
});

Deno.test("S-RM-02: solve() lists blockers, what they need, and all that --cascade would remove", () => {
  const rejection = rejectionOf({
    available: "",
    installed: "libfoo 3.3@O; tool-a 2.1@O {d: libfoo >= 3.0}; tool-b 1.0-4@O {d: libfoo}; top 1.0@O {d: tool-b}",
    request: "remove libfoo",
  });
  assert.deepEqual(rejection.blockers, [
    { package: "tool-a", version: "2.1-1", dependency: "libfoo", constraint: ">= 3.0", needs: "libfoo" },
    { package: "tool-b", version: "1.0-4", dependency: "libfoo", constraint: undefined, needs: "libfoo" },
  ]);
  assert.deepEqual(rejection.closure, ["tool-a", "tool-b", "top"]);
  assert.deepEqual(rejection.suggestions, [{ kind: "cascade", removes: ["tool-a", "tool-b", "top"] }]);
});

Deno.test("S-RM-04: solve() lets optional dependents block nothing", () => {
  const world = { available: "", installed: "lib 1.0@O; app 1.0@O {o: lib}", request: "remove lib" };
  assert.equal(answerText(planOf(world)), "−lib");
});

Deno.test("S-RM-05, S-RM-06, T-PRE-11: solve() warns of an orphan's removal and of a package that declares to replace it", () => {
  const plan = planOf({ available: "", installed: "old 1.0@gone; new 1.0@O {r: old}", request: "remove old" });
  assert.deepEqual(plan.warnings.map((warning) => warning.rule), ["W_ORPHANED", "W_REPLACES_TARGET"]);
});

Deno.test("S-REL-11: solve() warns of a package that provides more than its own version", () => {
  const world = { installed: "", request: "install aa" };
  const rules = (available: string) => planOf({ ...world, available }).warnings.map((warning) => warning.rule);
  assert.deepEqual(rules("aa 1.0@O {p: cap 2.0}"), ["W_PROVIDES_INFLATED"]);
  assert.deepEqual(rules("aa 1.0@O {p: cap 1.0}"), []);
});

Deno.test("S-UPG-08, S-ARCH-04: solve() warns when a package changes repository or architecture", () => {
  const plan = planOf({ available: "aa 2.0/noarch@X", installed: "aa 1.0@O", request: "upgrade aa" });
  assert.deepEqual(plan.warnings.map((warning) => warning.rule), ["W_ARCH_CHANGED", "W_ORIGIN_CHANGE"]);
});

Deno.test("S-SEARCH-07: solve() warns of older trouble it neither touches nor cures", () => {
  const world = { available: "app 1.0@O; ghost 1.0@O", installed: "old 1.0@O {d: ghost}; aa 1.0@O {c: bb}; bb 1.0@O" };
  const texts = (request: string) => planOf({ ...world, request }).warnings.map((warning) => warning.text);
  assert.deepEqual(texts("install app"), [
    "aa conflicts with bb, and both were installed before",
    "old needs ghost, which was not installed before either",
  ]);
  assert.deepEqual(texts("install ghost"), ["aa conflicts with bb, and both were installed before"]);
});

Deno.test("S-AUTH-02, S-AUTH-09, T-REPL-03: solve() gives the data of a foreign replacement, and raises none for local files", () => {
  const plan = planOf({ available: "new 2.0@X {r: old}", installed: "old 1.0@O", request: "install new" });
  assert.deepEqual(plan.authorisations, [{
    action: "AUTH_FOREIGN_REPLACES",
    subject: "old",
    data: {
      package: "new",
      version: "2.0-1",
      repository: "X",
      priority: "50",
      removed: "old",
      removed_version: "1.0-1",
      removed_repository: "O",
      removed_priority: "10",
    },
  }]);
  const local = planOf({ available: "new 2.0@X {r: old}", installed: "old 1.0", request: "install new" });
  assert.deepEqual(local.authorisations, []);
});

Deno.test("S-AUTH-08: solve() asks in the order of operations", () => {
  const plan = planOf({
    available: "srv 1.0@O {d: lib < 2}; lib 1.5@O",
    installed: "srv 2.0@O; lib 2.0@O",
    request: "downgrade srv 1.0",
  });
  assert.deepEqual(plan.authorisations.map((item) => item.subject), ["lib", "srv"]);
});

Deno.test("S-PLAN-05, S-SEARCH-11: solve() suggests unmet optional dependencies of new packages only, sorted", () => {
  const plan = planOf({
    available: "app 1.0@O {o: geoip; extras >= 2; lib}; old 2.0@O {o: other}",
    installed: "lib 1.0@O; old 1.0@O",
    request: "install app; upgrade old",
  });
  assert.deepEqual(plan.suggestions, [
    { for: "app", name: "extras", constraint: ">= 2" },
    { for: "app", name: "geoip", constraint: undefined },
  ]);
});

Deno.test("S-EXPL-01: solve() names chain, requirement and every candidate with the word that excludes it", () => {
  const rejection = rejectionOf({
    available: "nginx 1.0@O {d: libssl >= 3}; libssl 2.0@O; libssl 3.0/aarch64@X; other 1.0@O {p: libssl 1}",
    installed: "",
    request: "install nginx",
  });
  assert.equal(rejection.rule, "E_UNSATISFIABLE");
  assert.deepEqual(rejection.chain, ["install nginx", "nginx 1.0-1", "libssl"]);
  assert.deepEqual(rejection.requirement, {
    package: "nginx",
    packageVersion: "1.0-1",
    name: "libssl",
    constraint: ">= 3",
  });
  const words = rejection.considered.map((item) => `${item.name} ${item.version} ${item.repository} ${item.excluded}`);
  assert.deepEqual(words, ["libssl 2.0-1 O constraint", "libssl 3.0-1 X arch", "other 1.0-1 O constraint"]);
});

Deno.test("S-EXPL-02: solve() names both demands when one name cannot serve two", () => {
  const rejection = rejectionOf({
    available: "aa 1.0@O {d: lib < 2}; bb 1.0@O {d: lib >= 2}; lib 2.0@O; lib 1.5@O",
    installed: "",
    request: "install aa; install bb",
  });
  assert.deepEqual(
    rejection.demands.map((demand) => `${demand.package} ${demand.name} ${demand.constraint}`),
    ["aa lib < 2", "bb lib >= 2"],
  );
  assert.deepEqual(rejection.suggestions, [{ kind: "without", name: "bb" }]);
});

Deno.test("S-REQ-03: solve() lists who provides a name that no package bears, and near names", () => {
  const rejection = rejectionOf({
    available: "postfix 3.8@O {p: ngnix}; nginx 1.0@O",
    installed: "",
    request: "install ngnix",
  });
  assert.equal(rejection.rule, "E_NO_CANDIDATE");
  assert.deepEqual(rejection.providers.map((item) => item.name), ["postfix"]);
  assert.deepEqual(rejection.nearNames, ["nginx"]);
});

Deno.test("S-CONF-01, S-EXPL-01: solve() names both sides of a conflict, and offers --cascade where it works", () => {
  const rejection = rejectionOf({
    available: "apache 2.4@O {c: nginx}",
    installed: "nginx 1.0@O",
    request: "install apache",
  });
  assert.deepEqual(rejection.conflict, {
    declaring: { name: "apache", version: "2.4-1", origin: "O", installed: false },
    other: { name: "nginx", version: "1.0-1", origin: "O", installed: true },
    entry: "nginx",
    constraint: undefined,
    otherChain: [],
  });
  assert.deepEqual(rejection.suggestions, [{ kind: "cascade", removes: ["nginx"] }]);
});

Deno.test("S-SEARCH-06, S-EXPL-01: solve() says what would break an installed package, and why", () => {
  const rejection = rejectionOf({
    available: "tool 1.0@O {d: lib >= 2}; lib 2.0@O",
    installed: "lib 1.0@O; app 1.0@O {d: lib < 2}",
    request: "install tool",
  });
  assert.deepEqual(rejection.broken, {
    dependent: "app",
    version: "1.0-1",
    held: false,
    dependency: "lib",
    constraint: "< 2",
    changed: "lib",
    changedFrom: "1.0-1",
    changedTo: "2.0-1",
    because: ["install tool", "tool 1.0-1", "lib 2.0-1"],
  });
});

Deno.test("S-EXPL-01: solve() offers another version of the named package when that one can be had", () => {
  const rejection = rejectionOf({
    available: "nginx 2.0@O {d: missing}; nginx 1.0@X",
    installed: "",
    request: "install nginx",
  });
  assert.deepEqual(rejection.suggestions, [{ kind: "version", name: "nginx", version: "1.0-1", repository: "X" }]);
});

Deno.test("S-ORDER-05: solve() names the members of a cycle in order, and sees through one that falls apart", () => {
  const world = { installed: "", request: "install aa" };
  const cycle = rejectionOf({ ...world, available: "aa 1.0@O {d: cc}; bb 1.0@O {d: aa}; cc 1.0@O {d: bb}" });
  assert.deepEqual(cycle.members, ["aa", "cc", "bb"]);
  const plan = planOf({
    available: "aa 2.0@O {d: bb >= 2}; bb 2.0@O {d: aa}",
    installed: "aa 1.0@O {d: bb}; bb 1.0@O {d: aa}",
    request: "upgrade",
  });
  assert.equal(answerText(plan), "↑bb 1.0→2.0@O, ↑aa 1.0→2.0@O");
});

Deno.test("S-SAT-03: solve() lets a package meet its own dependency", () => {
  assert.equal(
    answerText(planOf({ available: "aa 1.0@O {d: cap, p: cap}", installed: "", request: "install aa" })),
    "+aa 1.0@O",
  );
});

Deno.test("S-REL-12: solve() takes a real package and a virtual name of one spelling alike", () => {
  const world = { installed: "", request: "install app" };
  assert.equal(
    answerText(planOf({ ...world, available: "app 1.0@O {d: mta}; mta 1.0@O; exim 2.0@O {p: mta}" })),
    "+exim 2.0@O, +app 1.0@O",
  );
});

Deno.test("S-SELECT-06: solve() breaks ties by name match, name, handle", () => {
  const world = { installed: "", request: "install app" };
  assert.equal(
    answerText(planOf({ ...world, available: "app 1.0@X {d: mta}; mta 1.0@O; abc 1.0@O {p: mta}; mta 1.0@E" })),
    "+mta 1.0@E, +app 1.0@X",
  );
});

Deno.test("S-SELECT-08, S-VER-04: solve() finds one highest version where the order runs in a circle", () => {
  // 1~foo < 1 < 1.bar < 1~foo: scanning in byte order of the versions keeps 1.bar, then 1~foo
  const plan = planOf({ available: "aa 1@O; aa 1.bar@O; aa 1~foo@O", installed: "", request: "install aa" });
  assert.equal(answerText(plan), "+aa 1~foo@O");
});

Deno.test("S-DOWN-01: solve() takes the highest revision on offer for a version without one", () => {
  const plan = planOf({ available: "aa 1.0-2@O; aa 1.0-7@O", installed: "aa 2.0@O", request: "downgrade aa 1.0" });
  assert.equal(answerText(plan), "↓aa 2.0→1.0-7@O **DOWNGRADE(aa)**");
  assert.equal(
    answerText(planOf({ available: "aa 2.0@O", installed: "aa 2.0@O", request: "downgrade aa 2.0" })),
    "nothing to do",
  );
});

Deno.test("C-ELIG-04: solve() reads no claims: a provider meets a role's name, whoever holds it", () => {
  const plan = planOf({
    available: "app 1.0@O {d: registryd}",
    installed: "loregd 1.0@O {p: registryd}",
    request: "install app",
  });
  assert.equal(answerText(plan), "+app 1.0@O");
});

Deno.test("S-ARCH-03: solve() takes the system's architecture as given, not the machine's", () => {
  const problem = problemOf({ available: "aa 1.0/aarch64@O; aa 2.0@O", installed: "", request: "install aa" });
  const answer = solve({ ...problem, primaryArchitecture: "aarch64" });
  assert.ok(answer.kind === "plan");
  assert.equal(answerText(answer), "+aa 1.0@O");
});

Deno.test("S-SEARCH-01, S-ELIG-02: solve() places nothing under a name it removes", () => {
  const rejection = rejectionOf({
    available: "app 1.0@O {d: lib >= 2}; lib 2.0@O",
    installed: "lib 1.0@O",
    request: "install app; remove lib",
  });
  assert.equal(rejection.rule, "E_UNSATISFIABLE");
  assert.deepEqual(rejection.considered.map((item) => `${item.version} ${item.excluded}`), [
    "1.0-1 removed",
    "2.0-1 removed",
  ]);
});

Deno.test("S-SEARCH-02, S-ELIG-03: solve() meets goals in name order, and decides a name once", () => {
  const rejection = rejectionOf({
    available: "aa 2.0@O; bb 1.0@O {d: aa < 2}; aa 1.0@X",
    installed: "",
    request: "install bb; install aa",
  });
  // the goal is decided before the obligation of `bb` is looked at
  assert.deepEqual(rejection.considered.map((item) => `${item.version} ${item.excluded}`), [
    "1.0-1 decided",
    "2.0-1 constraint",
  ]);
});

Deno.test("S-SEARCH-03, S-REPL-02: solve() removes what a placed package replaces, in the same plan", () => {
  const plan = planOf({
    available: "app 1.0@O {d: new}; new 1.0@O {p: old, r: old}",
    installed: "old 1.0@O; user 1.0@O {d: old}",
    request: "install app",
  });
  assert.equal(answerText(plan), "−old, +new 1.0@O, +app 1.0@O");
  assert.ok(plan.operations[1]?.kind === "install");
  assert.deepEqual(plan.operations[1].replaces, ["old"]);
});

Deno.test("S-SEARCH-05: solve() looks at earlier obligations again when what met them changes", () => {
  // `aa` is content with the installed lib until `bb` moves it
  const plan = planOf({
    available: "aa 1.0@O {d: lib < 2 }; bb 1.0@O {d: lib >= 2}; lib 2.0@O; lib 3.0@O {p: lib 1.0}",
    installed: "lib 1.0@O",
    request: "install aa; install bb",
  });
  assert.equal(answerText(plan), "↑lib 1.0→3.0@O, +aa 1.0@O, +bb 1.0@O");
});

Deno.test("S-SEARCH-08: solve() checks conflicts in the finished world, after an upgrade has settled one", () => {
  const plan = planOf({
    available: "app 1.0@O {d: lib >= 2, c: lib < 2}; lib 2.0@O",
    installed: "lib 1.0@O",
    request: "install app",
  });
  assert.equal(answerText(plan), "↑lib 1.0→2.0@O, +app 1.0@O");
});

Deno.test("S-RM-01: solve() counts as blockers only packages that relied on what is removed", () => {
  const plan = planOf({
    available: "",
    installed: "lib 1.0@O; other 1.0@O; broken 1.0@O {d: ghost}; easy 1.0@O {d: lib >= 2}",
    request: "remove lib",
  });
  assert.equal(answerText(plan), "−lib");
});

Deno.test("S-ORDER-01, S-ORDER-04: solve() puts removals first and orders by what provides, not by names", () => {
  const plan = planOf({
    available: "aa 1.0@O {d: cap}; zz 1.0@O {p: cap, r: old}",
    installed: "old 1.0@O",
    request: "install aa",
  });
  assert.equal(answerText(plan), "−old, +zz 1.0@O, +aa 1.0@O");
});

Deno.test("S-EXPL-03: solve() sorts what it considered by name, version and repository", () => {
  const rejection = rejectionOf({
    available: "lib 1.0@X; zz 1.0@O {p: lib 1}; lib 1.0@O; app 1.0@O {d: lib >= 9}; aa 3.0@O {p: lib 2}",
    installed: "",
    request: "install app",
  });
  assert.deepEqual(rejection.considered.map((item) => `${item.name}@${item.repository}`), [
    "aa@O",
    "lib@O",
    "lib@X",
    "zz@O",
  ]);
});

Deno.test("S-DOWN-02, S-AUTH-01: solve() raises one authorisation per package that moves back", () => {
  const plan = planOf({
    available: "srv 1.0@O {d: lib < 2}; lib 1.5@O",
    installed: "srv 2.0@O {d: lib >= 2}; lib 2.0@O",
    request: "downgrade srv 1.0",
  });
  assert.deepEqual(plan.authorisations, [
    { action: "AUTH_DOWNGRADE", subject: "lib", data: { from: "2.0-1", to: "1.5-1", repository: "O" } },
    { action: "AUTH_DOWNGRADE", subject: "srv", data: { from: "2.0-1", to: "1.0-1", repository: "O" } },
  ]);
});

Deno.test("S-AUTH-03: solve() gives the data of a stand-in from a weaker repository, and warns of it", () => {
  const plan = planOf({
    available: "mailapp 1.0@O {d: smtp >= 2.0}; smtp 1.0@O; postfix 3.8@X {p: smtp 3.0}",
    installed: "",
    request: "install mailapp",
  });
  assert.deepEqual(plan.authorisations, [{
    action: "AUTH_LOW_TRUST_PROVIDES",
    subject: "smtp",
    data: {
      dependency: "smtp",
      package: "postfix",
      version: "3.8-1",
      repository: "X",
      priority: "50",
      shadowed_version: "1.0-1",
      shadowed_repository: "O",
      shadowed_priority: "10",
    },
  }]);
  assert.deepEqual(plan.warnings.map((warning) => warning.rule), ["W_PROVIDES_SHADOW"]);
});

Deno.test("S-AUTH-04, T-REPL-03: solve() gives the data of a foreign conflict, orphans included", () => {
  const plan = planOf({ available: "aa 1.0@O {c: bb}", installed: "bb 1.0@gone", request: "install aa [--cascade]" });
  assert.deepEqual(plan.authorisations.map((item) => [item.action, item.subject, item.data["orphaned"]]), [
    ["AUTH_FOREIGN_CONFLICT", "bb", "true"],
  ]);
});

Deno.test("F-LATE-07: solve() holds back a target that declares another upgrade path, in a full upgrade only", () => {
  const problem = problemOf({ available: "bb 2.0@O", installed: "aa 1.0@O; bb 1.0@O", request: "upgrade" });
  const declaring = { ...candidateOf("aa 2.0@O"), alternateUpgrade: "see the release notes" };
  const available = candidateSource([declaring, ...problem.available.named("bb")]);
  const full = solve({ ...problem, available });
  assert.ok(full.kind === "plan");
  assert.equal(answerText(full), "↑bb 1.0→2.0@O");
  assert.deepEqual(heldBack(full), ["aa 1.0-1 2.0-1 alternate-upgrade"]);
  const named = solve({ ...problem, available, requests: [{ kind: "upgrade", name: parsePackageName("aa") }] });
  assert.ok(named.kind === "plan");
  assert.equal(answerText(named), "↑aa 1.0→2.0@O");
});

Deno.test("S-DOWN-01, S-EXPL-01: solve() takes a package listed in active and archive index as one candidate", () => {
  const problem = problemOf({ available: "aa 1.0@O", installed: "aa 2.0@O", request: "downgrade aa 9.0" });
  const twice = candidateSource([candidateOf("aa 1.0@O"), candidateOf("aa 1.0@O")]);
  const { version } = candidateOf("aa 0.5@O");
  const downgrade = { kind: "downgrade", name: parsePackageName("aa"), version } as const;
  const answer = solve({ ...problem, available: twice, requests: [downgrade] });
  assert.ok(answer.kind === "rejection");
  assert.deepEqual(answer.considered.map((item) => item.version), ["1.0-1"]);
});

Deno.test("S-DET-03: solve() asks the installed set only for what the request touches", () => {
  const installed = Array.from({ length: 500 }, (_, index) => `n${index} 1.0@O {d: n${index + 1}}`);
  const problem = problemOf({
    available: "app 1.0@O {d: lib >= 2}; lib 2.0@O",
    installed: [...installed, "n500 1.0@O", "lib 1.0@O", "user 1.0@O {d: lib}"].join("; "),
    request: "install app",
  });
  const asked = new Set<string>();
  const watched = { ...problem.installed };
  const noting = <T>(lookup: (name: string) => T) => (name: string): T => {
    asked.add(name);
    return lookup(name);
  };
  watched.get = noting(problem.installed.get);
  watched.providersOf = noting(problem.installed.providersOf);
  watched.dependentsOn = noting(problem.installed.dependentsOn);
  watched.conflictingWith = noting(problem.installed.conflictingWith);
  watched.names = () => assert.fail("all names were asked for");
  watched.breakage = () => [];
  const answer = solve({ ...problem, installed: watched });
  assert.ok(answer.kind === "plan");
  assert.equal(answerText(answer), "↑lib 1.0→2.0@O, +app 1.0@O");
  assert.deepEqual([...asked].sort(), ["app", "lib"]);
});

Deno.test("S-UPG-05, S-EXPL-01: solve() offers to leave out the one target a full upgrade fails on", () => {
  const rejection = rejectionOf({
    available: "lib 2.0@O; zlib 1.1@O",
    installed: "app 1.0@O {d: lib < 2}; lib 1.0@O; zlib 1.0@O",
    request: "upgrade",
  });
  assert.equal(rejection.rule, "E_BREAKS_DEPENDENT");
  assert.deepEqual(rejection.suggestions, [{ kind: "without", name: "lib" }]);
});
