/** Random small worlds for the resolver, from a seed. */
import type { ResolutionOptions } from "../../core/resolver/problem.ts";
import { WORLD_NAMES } from "./resolution_oracle.ts";
import type { WorldText } from "./resolution_world.ts";

/** A repeatable source of numbers (xorshift). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 88172645) >>> 0 || 1;
  }

  /** An integer from 0 to `bound - 1`. */
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state >>>= 0;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % bound;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const CONSTRAINTS = ["", "", "", ">= 2", "< 2", "= 2", "!= 2", "> 1", "<= 2", "= 3"];
const VIRTUALS = ["va", "vb"];

/** A world of at most seven names, as text. */
export function randomWorld(dice: Dice): WorldText {
  const names = WORLD_NAMES.slice(0, 2 + dice.below(WORLD_NAMES.length - 1));
  const available = new Map<string, string>();
  for (let count = names.length + dice.below(2 * names.length); count > 0; count--) {
    const head = `${dice.pick(names)} ${1 + dice.below(3)}${architecture(dice)}@${
      dice.pick(["O", "O", "O", "E", "X", "X"])
    }`;
    available.set(head, `${head} ${relations(dice, names)}`);
  }
  const installed: string[] = [];
  for (const name of names) {
    if (!dice.chance(45)) continue;
    const origin = dice.pick(["@O", "@O", "@X", "@gone", ""]);
    const version = 1 + dice.below(3);
    const known = [...available.values()].find((text) => text.startsWith(`${name} ${version}@`));
    // often the very package that is on offer
    const body = known !== undefined && dice.chance(70) ? known.slice(known.indexOf("{")) : relations(dice, names);
    installed.push(`${name} ${version}${architecture(dice)}${origin} ${body}`);
  }
  const held = names.filter(() => dice.chance(8));
  const kind = dice.pick([
    "install",
    "install",
    "install",
    "upgrade",
    "upgrade",
    "named",
    "remove",
    "downgrade",
    "undo",
  ]);
  return {
    available: [...available.values()].join("; "),
    installed: installed.join("; "),
    request: requestText(kind, dice, names) + (held.length > 0 ? ` [held: ${held.join(" ")}]` : ""),
    options: randomOptions(dice, names),
    automatic: names.filter(() => dice.chance(40)),
  };
}

/**
 * A world in which first options often fail: nothing or little installed, many versions, demands that exclude each
 * other, and strong candidates beside weak ones.
 */
export function tightWorld(dice: Dice): WorldText {
  const names = WORLD_NAMES;
  const available = new Map<string, string>();
  for (const name of names) {
    for (const version of [1, 2, 3]) {
      const handle = dice.pick(["O", "O", "E", "X"]);
      const parts: string[] = [];
      const needed = new Map<string, string>();
      while (dice.chance(60) && needed.size < 3) {
        const other = dice.pick([...names, ...VIRTUALS]);
        if (other !== name) needed.set(other, `${other} ${dice.pick(CONSTRAINTS)}`.trim());
      }
      if (needed.size > 0) parts.push(`d: ${[...needed.values()].join("; ")}`);
      if (dice.chance(30)) parts.push(`c: ${dice.pick(names)} ${dice.pick(["", "< 2", "= 2", "> 2"])}`.trim());
      if (dice.chance(45)) parts.push(`p: ${dice.pick(VIRTUALS)}${dice.chance(50) ? ` ${version}` : ""}`);
      available.set(`${name} ${version}`, `${name} ${version}@${handle} {${parts.join(", ")}}`);
    }
  }
  const installed = names.filter(() => dice.chance(20)).map((name) =>
    `${available.get(`${name} ${dice.chance(70) ? 1 : 2}`) ?? ""}`
  ).filter((text) => text !== "");
  const wanted = [...new Set([dice.pick(names), dice.pick(names), dice.pick(names)])];
  return {
    available: [...available.values()].join("; "),
    installed: installed.join("; "),
    request: dice.chance(80) ? wanted.map((name) => `install ${name}`).join("; ") : "upgrade",
    options: { cascade: dice.chance(15) },
  };
}

function randomOptions(dice: Dice, names: readonly string[]): Partial<ResolutionOptions> {
  return {
    cascade: dice.chance(30),
    allowDowngrade: dice.chance(10),
    allowCritical: dice.chance(5),
    critical: dice.chance(15) ? [dice.pick(names)] : [],
  };
}

function requestText(kind: string, dice: Dice, names: readonly string[]): string {
  const chosen = [...new Set([dice.pick(names), ...(dice.chance(50) ? [dice.pick(names)] : [])])];
  switch (kind) {
    case "upgrade":
      return "upgrade";
    case "named":
      return chosen.map((name) => `upgrade ${name}`).join("; ");
    case "remove":
      return chosen.map((name) => `remove ${name}`).join("; ");
    case "downgrade":
      return `downgrade ${chosen[0]} ${1 + dice.below(3)}`;
    case "undo":
      return [`restore ${chosen[0]} ${1 + dice.below(3)}`, ...chosen.slice(1).map((name) => `remove ${name}`)].join(
        "; ",
      );
    default:
      return chosen.map((name) =>
        dice.chance(10) ? `install ./${name} ${1 + dice.below(3)} ${relations(dice, names)}` : `install ${name}`
      ).join("; ");
  }
}

function architecture(dice: Dice): string {
  return dice.chance(8) ? "/noarch" : dice.chance(3) ? "/aarch64" : "";
}

function relations(dice: Dice, names: readonly string[]): string {
  const parts: string[] = [];
  const add = (letter: string, percent: number, pool: readonly string[]): void => {
    const entries = new Map<string, string>();
    while (dice.chance(percent) && entries.size < 3) {
      const name = dice.pick(pool);
      entries.set(name, `${name} ${dice.pick(CONSTRAINTS)}`.trim());
    }
    if (entries.size > 0) parts.push(`${letter}: ${[...entries.values()].join("; ")}`);
  };
  add("d", 55, [...names, ...VIRTUALS]);
  add("c", 15, [...names, ...VIRTUALS]);
  const provided = dice.chance(30) ? dice.pick([...VIRTUALS, ...VIRTUALS, ...names]) : undefined;
  if (provided !== undefined) parts.push(`p: ${provided}${dice.chance(50) ? ` ${1 + dice.below(3)}` : ""}`);
  add("r", 10, names);
  return `{${parts.join(", ")}}`;
}
