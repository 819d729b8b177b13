/** `peipkg-repo rotate-key` */
import { changeKeys, groupFingerprint, type KeyChange, type KeyRequest, readSigningKey } from "../../../mod.ts";
import { optionText, UsageError } from "../../arguments.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { openSignKey, PRODUCER_LAYOUT, readFingerprint, requiredTimestamp } from "../../producing.ts";

const DEFAULT_VALID_DAYS = 30;

type Change = KeyRequest extends infer Request
  ? Request extends KeyRequest ? Omit<Request, "directory" | "signingKey" | "timestamp"> : never
  : never;

async function readChange(invocation: Invocation): Promise<Change> {
  const { args } = invocation;
  const newKey = optionText(args.options, "new-key");
  const revoke = optionText(args.options, "revoke");
  const drop = optionText(args.options, "drop");
  const days = args.options["valid-days"];
  if (newKey !== undefined) {
    const isLoose = args.options["allow-loose-key"] === true;
    return {
      kind: "rotate",
      newKey: await readSigningKey(await invocation.session(), newKey, isLoose),
      validDays: typeof days === "number" ? days : DEFAULT_VALID_DAYS,
    };
  }
  if (revoke !== undefined) return { kind: "revoke", fingerprint: readFingerprint(args, revoke) };
  if (drop !== undefined) return { kind: "drop", fingerprint: readFingerprint(args, drop) };
  throw new UsageError(args.words, "one of --new-key, --revoke and --drop is required", { path: args.path });
}

function keyLines(keys: KeyChange["before"]): readonly string[] {
  return keys.map(({ fingerprint, status, validUntil }) =>
    `  ${groupFingerprint(fingerprint)}  ${status}${validUntil === undefined ? "" : ` until ${escapeText(validUntil)}`}`
  );
}

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen } = invocation;
  const change = await readChange(invocation);
  const common = {
    directory: args.operands[0] ?? "",
    signingKey: await openSignKey(invocation),
    timestamp: requiredTimestamp(invocation),
  };
  const context = { session: await invocation.session(), layout: PRODUCER_LAYOUT } as const;
  const { before, after } = await changeKeys(context, { ...common, ...change });
  const known = new Set(before.map(({ fingerprint }) => fingerprint));
  const announced = after.filter(({ fingerprint, status }) => status === "active" && !known.has(fingerprint));
  screen.document({
    result: change.kind === "rotate" ? "rotated" : change.kind === "revoke" ? "revoked" : "dropped",
    packages: [],
    fingerprints: after.filter(({ status }) => status === "active").map(({ fingerprint }) => fingerprint),
  });
  screen.info("keys before:");
  for (const line of keyLines(before)) screen.info(line);
  screen.info("keys after:");
  for (const line of keyLines(after)) screen.info(line);
  for (const { fingerprint } of announced) screen.info(`announce: ${fingerprint}`);
  return 0;
}
