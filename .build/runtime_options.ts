/**
 * Options of the runtime that every form of the program is started with.
 *
 * - A young generation of at most 1 MiB for each thread: programs that stream make much garbage and keep little, and
 *   the engine's own choice lets tens of MiB of it stand.
 * - An old generation that grows by a fifth before it is collected, not by as much again.
 * - Functions are compiled when a file is first read, not when they are first called: the runtime keeps what has been
 *   compiled by then for the next start, and nothing later. Installing one small package takes 73 ms of processor time
 *   instead of 88, removing it 53 instead of 63, `list` 25 instead of 26; what takes long is no slower, the very first
 *   start takes 8 ms more of 170. That takes 2 to 5 MiB of memory, 10 where a second thread works.
 *
 * Installing 33,159 files takes 160 to 165 MiB at the peak with the first two alone, 165 to 169 with a young generation
 * of 2 MiB, 160 to 172 with growth by two fifths, 15 more without the second option; in the same time. Storing an index
 * of 63,666 packages takes 0.05 s more of 0.9 than without them.
 */
export const RUNTIME_OPTIONS = ["--v8-flags=--max-semi-space-size=1,--heap-growing-percent=20,--no-lazy"] as const;

/**
 * Environment of the runtime where something of ours starts it. One heap of the C library for all threads: each would
 * have its own else, and what one has given back is of no use to another. Installing 33,159 files takes 163 MiB at the
 * peak instead of 174 with all options above, in the same time.
 */
export const RUNTIME_ENVIRONMENT = { MALLOC_ARENA_MAX: "1" } as const;
