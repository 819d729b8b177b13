/** A program that answers for a person: `peipkg --driven` with its questions answered by a function. */
import assert from "node:assert/strict";
import { spawn } from "./cli.ts";
import type { World } from "./e2e_world.ts";

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

export interface Driven {
  readonly status: number;
  readonly events: readonly Event[];
  readonly stderr: string;
}

/** Answers a question with a line; `undefined` closes the program's input. */
export type Driver = (question: Event) => unknown | undefined;

/** Runs `peipkg --root ROOT --driven …` and lets `driver` answer. */
export async function drive(world: World, args: readonly string[], driver: Driver): Promise<Driven> {
  const child = spawn(["--root", world.root, "--driven", ...args], { cwd: world.directory, stdin: "" });
  const writer = child.stdin.getWriter();
  const events: Event[] = [];
  let isClosed = false;
  const stderr = new Response(child.stderr).text();
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const event: Event = JSON.parse(line);
      events.push(event);
      if (event.event !== "question" || isClosed) continue;
      const answer = driver(event);
      if (answer === undefined) {
        isClosed = true;
        await writer.close();
      } else {
        const sent = typeof answer === "string" ? answer : JSON.stringify(answer);
        await writer.write(new TextEncoder().encode(`${sent}\n`));
      }
    }
  }
  if (!isClosed) await writer.close().catch(() => {});
  assert.equal(rest, "");
  return { status: (await child.status).code, events, stderr: await stderr };
}

export const yes: Driver = ({ id, token }) => ({ id, answer: "yes", ...(token === undefined ? {} : { token }) });
export const questionsOf = ({ events }: Driven): readonly Event[] => events.filter(({ event }) => event === "question");
export const lastEvent = ({ events }: Driven): Event | undefined => events.at(-1);
export const warningsOf = ({ events }: Driven): readonly unknown[] =>
  events.filter(({ event }) => event === "warning").map(({ code }) => code);
