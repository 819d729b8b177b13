/** Which proxy a request goes through. */
import type { ProxySettings } from "../config/settings.ts";

/**
 * The proxy for a URL; `undefined`: none. The key `proxy` serves every request; else the variables apply, unless
 * `NO_PROXY` lists the host.
 */
export function chooseProxy(proxies: ProxySettings, url: URL): string | undefined {
  if (proxies.all !== "") return proxies.all;
  if (proxies.direct.some((pattern) => matchesHost(pattern, url))) return undefined;
  const proxy = url.protocol === "https:" ? proxies.https : proxies.http;
  if (proxy === "") return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

/** `*`, `host`, `.domain`, `domain` (its subdomains too), each with an optional port. */
function matchesHost(pattern: string, url: URL): boolean {
  if (pattern === "*") return true;
  const match = /^(.*?)(?::([0-9]+))?$/.exec(pattern.toLowerCase());
  const domain = (match?.[1] ?? "").replace(/^\*?\./, "");
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  if (domain === "" || (match?.[2] !== undefined && match[2] !== port)) return false;
  return url.hostname === domain || url.hostname.endsWith(`.${domain}`);
}
