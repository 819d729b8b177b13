/** How long a server is waited for, on a clock that only moves when everybody waits. */
import assert from "node:assert/strict";
import { PeipkgError } from "../../../core/errors.ts";
import type { RepositoryContext } from "../../../core/repository/context.ts";
import { fetchDocument } from "../../../core/repository/transport.ts";
import type { HttpRequest, HttpResponse, System } from "../../../core/system.ts";
import { openRepositoryWorld } from "../../support/repository_world.ts";

/** What a server sends, and the milliseconds it lets pass before. */
type Script = Iterable<readonly [wait: number, bytes: number]>;

/** Waits in order of time; the clock moves from one to the next. */
class Clock {
  now = 0;
  readonly #waits = new Set<{ readonly at: number; readonly end: () => void }>();

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const wait = { at: this.now + milliseconds, end: resolve };
      this.#waits.add(wait);
      signal?.addEventListener("abort", () => {
        this.#waits.delete(wait);
        reject(signal.reason);
      });
    });
  }

  /** Moves until `work` is settled. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    work.catch(() => {}).finally(() => isSettled = true);
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve)); // everybody who can go on does
      if (isSettled) return await work;
      const next = [...this.#waits].reduce((first, wait) => wait.at < first.at ? wait : first);
      this.#waits.delete(next);
      this.now = next.at;
      next.end();
    }
  }
}

function answer({ signal }: HttpRequest, clock: Clock, script: Script): HttpResponse {
  const steps = script[Symbol.iterator]();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)),
    async pull(controller) {
      const { done, value: [wait, bytes] = [0, 0] } = steps.next();
      if (done === true) return controller.close();
      await clock.sleep(wait, signal);
      controller.enqueue(new Uint8Array(bytes));
    },
  }, { highWaterMark: 0 });
  return { status: 200, headers: new Headers(), body };
}

/** Fetches what the script sends; its size, or why it was given up, and the seconds it took. */
async function outcome(script: Script, settings: readonly string[] = []): Promise<readonly [string, number]> {
  using world = openRepositoryWorld();
  const workspace = world.open(["fetch_retries=0", ...settings]);
  const clock = new Clock();
  const system: System = Object.create(workspace.session.system, {
    monotonic: { value: () => clock.now },
    sleep: { value: clock.sleep.bind(clock) },
    fetch: { value: (request: HttpRequest) => Promise.resolve(answer(request, clock, script)) },
  });
  const context: RepositoryContext = {
    session: { ...workspace.session, system },
    settings: workspace.settings,
    startedAt: 0,
    certificates: undefined,
    rate: workspace.rate,
    openCache: () => undefined,
  };
  const url = "https://h/x";
  const common = { repository: "main", allowInsecureTransport: false, compressed: false };
  const work = fetchDocument(context, { url, limitBytes: 64 * 1024 * 1024, ...common });
  try {
    return [`${(await clock.run(work)).length} bytes`, clock.now / 1000];
  } catch (error) {
    assert.ok(error instanceof PeipkgError && error.detail.rule === "E_NETWORK_TIMEOUT", String(error));
    return [error.message.slice(`cannot fetch "${url}": `.length), clock.now / 1000];
  }
}

function* repeated(times: number, wait: number, bytes: number): Script {
  for (let count = 0; count < times; count++) yield [wait, bytes];
}

Deno.test("R-HTTP-05: silence of fetch_timeout seconds ends a request, and no shorter one does", async () => {
  assert.deepEqual(await outcome([[0, 100_000], [60_001, 1]]), ["no data for 60 s", 60]);
  assert.deepEqual(await outcome([[59_000, 100_000], [59_000, 1]]), ["100001 bytes", 118]);
  assert.deepEqual(await outcome([[0, 9000], [5001, 1]], ["fetch_timeout=5"]), ["no data for 5 s", 5]);
});

Deno.test("R-HTTP-05, A-INPUT-12: a sender that is too slow on average is as good as silent", async () => {
  const slow = "less than 1000 bytes a second";
  assert.deepEqual(await outcome(repeated(Infinity, 1000, 1)), [slow, 60.06]); // a byte a second, for ever
  assert.deepEqual(await outcome(repeated(Infinity, 1000, 500)), [slow, 119.5]);
  assert.deepEqual(await outcome(repeated(1200, 1000, 1001)), ["1201200 bytes", 1200]);
  // what came fast at first buys no time later
  assert.deepEqual(await outcome([[0, 10_000_000], ...repeated(100, 1000, 1)]), [slow, 60.06]);
});

Deno.test("R-HTTP-05: waiting for fetch_rate is not the server's silence", async () => {
  assert.deepEqual(await outcome(repeated(10, 1, 20_000), ["fetch_rate=100"]), ["200000 bytes", 2000.01]);
});
