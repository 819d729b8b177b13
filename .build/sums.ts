/** The list of sums beside what was built, and its signature, which `peipkg self verify` reads. */
import { signDigest } from "../core/format/envelope.ts";
import { sha256 as digestOf } from "../core/format/hash.ts";
import { openSigningKey, readPrivateKey } from "../core/format/keys.ts";
import { sha256 } from "./runtime.ts";

const READABLE_BY_OTHERS = 0o077;

/**
 * Writes `SHA256SUMS` for executables, SBOMs and packages in `out`, in the form `sha256sum -c` reads, sorted by name.
 * With a key also `SHA256SUMS.sig`, a detached envelope (F-SIG-07); without one a signature of an earlier build goes.
 *
 * @param signKey Private key file, for its owner alone (F-KEY-03).
 * @returns Fingerprint of the signer.
 */
export async function writeSums(out: string, signKey: string | undefined): Promise<string | undefined> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(out)) {
    if (entry.isFile && /^peipkg|\.peipkg$/.test(entry.name)) names.push(entry.name);
  }
  const lines = await Promise.all(
    names.sort().map(async (name) => `${sha256(await Deno.readFile(`${out}/${name}`))}  ${name}\n`),
  );
  const sums = new TextEncoder().encode(lines.join(""));
  await Deno.writeFile(`${out}/SHA256SUMS`, sums);
  if (signKey === undefined) {
    await Deno.remove(`${out}/SHA256SUMS.sig`).catch(() => undefined);
    return undefined;
  }
  if (((await Deno.stat(signKey)).mode ?? 0) & READABLE_BY_OTHERS) {
    throw new Error(`cannot use the key "${signKey}": others than its owner may read it`);
  }
  const key = await openSigningKey(readPrivateKey(await Deno.readFile(signKey)));
  await Deno.writeFile(`${out}/SHA256SUMS.sig`, await signDigest(key, digestOf(sums)));
  return key.fingerprint;
}
