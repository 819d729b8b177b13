/** The rate limit of downloads. */
import type { RepositoryContext } from "./context.ts";

/** Bytes per second, shared by all transfers of an operation; 0 is unlimited. */
export class RateLimit {
  #free = 0;

  constructor(private readonly bytesPerSecond: number) {}

  /** Waits until `bytes` more may pass. */
  async take(context: RepositoryContext, bytes: number): Promise<void> {
    if (this.bytesPerSecond === 0) return;
    const { system, signal } = context.session;
    const now = system.monotonic();
    this.#free = Math.max(this.#free, now) + bytes / this.bytesPerSecond * 1000;
    if (this.#free > now) await system.sleep(this.#free - now, signal);
  }
}
