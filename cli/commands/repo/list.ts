/** `peipkg repo list` */
import { formatTimestamp, listRepositories, type RepositoryListing } from "../../../mod.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";

/** JSON of one repository (C-REPO-10). */
export function repositoryDocument(item: RepositoryListing): Readonly<Record<string, unknown>> {
  if (item.kind === "invalid") return { name: item.handle, invalid: true };
  const { configuration } = item;
  return {
    name: configuration.handle,
    base_url: configuration.baseUrl,
    priority: configuration.priority,
    signature_policy: configuration.signaturePolicy,
    trust_anchors: configuration.trustAnchors,
    allow_insecure_transport: configuration.allowInsecureTransport,
    enabled: configuration.enabled,
    trusted: item.trusted,
    last_refresh: item.lastRefreshAt === undefined ? undefined : formatTimestamp(item.lastRefreshAt),
    index_generated: item.indexGenerated,
    index_version: item.indexVersion,
    stale: item.stale,
    packages: item.packages,
  };
}

/** One line, fields joined by two blanks and not padded; escaped. */
function repositoryLine(item: RepositoryListing): string {
  if (item.kind === "invalid") return `${escapeText(item.handle)}  [invalid]`;
  const { handle, baseUrl, priority, signaturePolicy, enabled } = item.configuration;
  const tails = [
    ...(item.trusted ? [] : ["[not trusted]"]),
    ...(item.stale ? ["[stale]"] : []),
    ...(enabled ? [] : ["[disabled]"]),
  ];
  return [handle, baseUrl, `priority=${priority}`, signaturePolicy, ...tails].map(escapeText).join("  ");
}

export async function run({ screen, workspace }: Invocation): Promise<0 | 1> {
  const items = listRepositories(await workspace());
  screen.document(items.map(repositoryDocument));
  for (const item of items) screen.line(repositoryLine(item));
  if (items.length === 0) screen.line("no repositories configured");
  return 0;
}
