/** The measured situations: whole lives of a root, single packages, and commands that only read. */
import { measure } from "./measure.ts";
import type { Sample } from "./measure.ts";
import type { Invocation, Peer, Source } from "./peer.ts";
import { openBenchRoot } from "./root.ts";
import type { BenchRoot, Medium } from "./root.ts";
import type { BenchPackage, SetName, Workload } from "./workload.ts";

/** Workload name → peer name → samples in order of time. */
export type Results = Map<string, Map<string, Sample[]>>;

export interface Context {
  readonly workload: Workload;
  /** Where the peers' packages lie. */
  readonly directory: string;
  readonly scratch: string;
  readonly peers: readonly Peer[];
  /** Base URL of a server for a peer's packages; `undefined`: it does not install over HTTP. */
  readonly servers: ReadonlyMap<string, string>;
  readonly results: Results;
  /** Whether a workload was asked for. */
  wanted(workload: string): boolean;
  log(text: string): void;
}

function record(context: Context, workload: string, peer: Pick<Peer, "name">, sample: Sample): void {
  const peers = context.results.get(workload) ?? new Map<string, Sample[]>();
  context.results.set(workload, peers);
  peers.set(peer.name, [...peers.get(peer.name) ?? [], sample]);
  context.log(`${workload}: ${peer.name} ${sample.seconds.toFixed(3)} s, cpu ${sample.cpuSeconds.toFixed(2)} s`);
}

/** Measures a command that writes below a root. On a disk, all of it is durable when the time stops. */
async function measureWrite(peer: Peer, root: BenchRoot, invocation: Invocation): Promise<Sample> {
  const before = await root.written();
  const syncs = root.medium !== "tmpfs" && !peer.isDurable;
  const sample = await measure(invocation, syncs ? { syncAfter: root.path } : {});
  const after = await root.written();
  return { ...sample, writtenBytes: before === undefined || after === undefined ? undefined : after - before };
}

/** Whether the packages' files are there, or gone; a program that did nothing quickly must not win. */
async function insist(root: BenchRoot, packages: readonly BenchPackage[], present: boolean): Promise<void> {
  for (const { name, files } of packages) {
    let count = 0;
    const visit = async (path: string): Promise<void> => {
      for await (const entry of Deno.readDir(path)) {
        if (entry.isDirectory) await visit(`${path}/${entry.name}`);
        else count++;
      }
    };
    await visit(`${root.path}/usr/share/${name}`).catch(() => undefined);
    const expected = present ? files : 0;
    if (count !== expected) throw new Error(`${name} has ${count} file(s) where ${expected} were expected`);
  }
}

/** Statuses of peers' verification that found differences: times or owners that a root made for a test has. */
const FINDINGS = [1, 2];

const LIFE = ["install set", "verify set", "upgrade 5 %", "remove all"] as const;

/** A root from its first install to its emptying; yields up to four workloads from one root. */
async function measureLife(context: Context, peer: Peer, medium: Medium): Promise<void> {
  const { directory } = context;
  const { set, changed } = context.workload.sets;
  const source: Source = { kind: "files" };
  const keep = (step: (typeof LIFE)[number], sample: Sample): void => {
    const workload = `${step} (${medium})`;
    if (context.wanted(workload)) record(context, workload, peer, sample);
  };
  await using root = await openBenchRoot(medium, context.scratch);
  await peer.prepareRoot(root.path, directory, source);
  await peer.offer(root.path, directory, "set", source);
  keep("install set", await measureWrite(peer, root, peer.install(root.path, directory, "set", set, source)));
  await insist(root, set, true);
  const verify = peer.verify(root.path);
  if (verify !== undefined) keep("verify set", await measure(verify, { accept: FINDINGS }));
  await peer.offer(root.path, directory, "changed", source);
  keep("upgrade 5 %", await measureWrite(peer, root, peer.upgrade(root.path, directory, changed, source)));
  await insist(root, changed, true);
  keep("remove all", await measureWrite(peer, root, peer.remove(root.path, changed)));
  await insist(root, changed, false);
}

async function measureInstall(
  context: Context,
  peer: Peer,
  medium: Medium,
  set: SetName,
  name: string,
  source: Source,
): Promise<void> {
  const packages = context.workload.sets[set];
  await using root = await openBenchRoot(medium, context.scratch);
  await peer.prepareRoot(root.path, context.directory, source);
  await peer.offer(root.path, context.directory, set, source);
  const install = peer.install(root.path, context.directory, set, packages, source);
  const sample = await measureWrite(peer, root, install);
  await insist(root, packages, true);
  record(context, name, peer, sample);
}

/** One life per peer and medium, `rounds` times, peers taking turns so that a slow minute hits all. */
export async function runLives(context: Context, media: readonly Medium[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const medium of media) {
      if (!LIFE.some((step) => context.wanted(`${step} (${medium})`))) continue;
      for (const peer of context.peers) {
        if (!LIFE.some((step) => context.wanted(`${step} (${medium})`))) return;
        await attempt(context, peer, () => measureLife(context, peer, medium));
      }
    }
  }
}

export async function runInstalls(context: Context, media: readonly Medium[], rounds: number): Promise<void> {
  const medium = media[0] ?? "directory";
  const cases: readonly (readonly [string, SetName, number])[] = [
    ["install one tiny package", "tiny", 3 * rounds],
    ["install one package of many files", "many", rounds],
    ["install one big file", "big", rounds],
  ];
  for (const [name, set, repeat] of cases) {
    const workload = `${name} (${medium})`;
    if (!context.wanted(workload)) continue;
    for (let round = 0; round < repeat; round++) {
      for (const peer of context.peers) {
        if (!context.wanted(workload)) return;
        await attempt(context, peer, () => measureInstall(context, peer, medium, set, workload, { kind: "files" }));
      }
    }
  }
  const workload = `install set over http (${medium})`;
  if (!context.wanted(workload)) return;
  for (let round = 0; round < rounds; round++) {
    for (const peer of context.peers) {
      const url = context.servers.get(peer.name);
      if (url === undefined) continue;
      await attempt(context, peer, () => measureInstall(context, peer, medium, "set", workload, { kind: "http", url }));
    }
  }
}

/** A fault of one peer is printed and ends its part of the round, not the run. */
async function attempt(context: Context, peer: Pick<Peer, "name">, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log(`${peer.name} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Starting, listing and looking up in a root with thousands of packages. */
export async function runReads(context: Context, media: readonly Medium[], rounds: number): Promise<void> {
  const { thousands } = context.workload.sets;
  const first = thousands[0]?.name ?? "";
  const cases: readonly (readonly [string, (peer: Peer, root: string) => Invocation | undefined])[] = [
    ["start: --version", (peer) => peer.version()],
    [`list ${thousands.length} packages`, (peer, root) => peer.list(root)],
    [`owner of a path among ${thousands.length} packages`, (peer, root) => peer.owner(root, `usr/share/${first}/file`)],
  ];
  if (!cases.some(([name]) => context.wanted(name))) return;
  for (const peer of context.peers) {
    if (peer.version() === undefined) continue;
    await attempt(context, peer, async () => {
      const source: Source = { kind: "files" };
      await using root = await openBenchRoot(media[0] ?? "directory", context.scratch);
      await peer.prepareRoot(root.path, context.directory, source);
      await peer.offer(root.path, context.directory, "thousands", source);
      await measure(peer.install(root.path, context.directory, "thousands", thousands, source));
      await insist(root, thousands, true);
      for (const [name, invocationOf] of cases) {
        const invocation = invocationOf(peer, root.path);
        if (invocation === undefined || !context.wanted(name)) continue;
        await measure(invocation);
        for (let round = 0; round < rounds && context.wanted(name); round++) {
          record(context, name, peer, await measure(invocation));
        }
      }
    });
  }
}

/** Measures one command of one peer several times, after one run that is not counted unless `warm` is false. */
export async function runCommand(
  context: Context,
  workload: string,
  peer: Pick<Peer, "name">,
  invocation: Invocation,
  rounds: number,
  options: { readonly warm: boolean } = { warm: true },
): Promise<void> {
  if (!context.wanted(workload)) return;
  await attempt(context, peer, async () => {
    if (options.warm) await measure(invocation);
    for (let round = 0; round < rounds && context.wanted(workload); round++) {
      record(context, workload, peer, await measure(invocation));
    }
  });
}
