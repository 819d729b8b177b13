/** URL references of repository documents → URLs that may be fetched (R-URL-02 … R-URL-08). */
import { hasUnsafePath } from "../config/base_url.ts";
import { ruleError } from "../errors.ts";

/** The bases of one repository and what its transport may be. */
export interface RepositoryBases {
  /** Handle, for messages. */
  readonly handle: string;
  /** `base_url`; references resolve against it alone (R-MIR-06). */
  readonly baseUrl: string;
  /** Further bases with the same content, in order. */
  readonly mirrors: readonly string[];
  readonly allowInsecureTransport: boolean;
}

/** Paths under the base that consumers know without being told (section 6). */
export const DESCRIPTOR_PATH = "/repo.json";
export const DESCRIPTOR_SIGNATURE_PATH = "/repo.json.sig";

/** Conventional place of a key file. */
export function keyPath(fingerprint: string): string {
  return `/keys/${fingerprint}.pub`;
}

/**
 * Resolves a reference of a descriptor or index.
 *
 * @returns An absolute URL.
 * @throws {PeipkgError} `transport` (`E_URL`, `E_URL_SCHEME`, `E_INSECURE_TRANSPORT`)
 * @see R-URL-02 … R-URL-08
 */
export function resolveReference(bases: RepositoryBases, reference: string): string {
  const refuse = (found: string) =>
    ruleError("E_URL", `cannot use URL "${reference}" of repository "${bases.handle}": ${found}`, {
      repository: bases.handle,
      url: reference,
    });
  // A URL parser drops tabs and line ends silently, so what is checked would not be what is fetched.
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f\\]/.test(reference)) throw refuse("it contains a blank, control character or backslash");
  if (reference.startsWith("//")) throw refuse('it starts with "//", which would name another host'); // R-URL-04
  const hasScheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(reference);
  const isRooted = reference.startsWith("/");
  // R-URL-03: concatenation keeps a path prefix of the base, which host-root resolution would drop.
  const absolute = hasScheme ? reference : isRooted ? bases.baseUrl + reference : undefined;
  // R-URL-07: in the text, since a URL parser folds such segments; in a relative reference RFC 3986 folds the raw
  // ones itself, so only the encoded ones are left over.
  if (absolute === undefined ? /%2e|%5c|%00/i.test(reference) : hasUnsafePath(absolute)) {
    throw refuse('its path has a "." or ".." segment');
  }
  const base = `${bases.baseUrl}${DESCRIPTOR_PATH}`;
  if (!URL.canParse(absolute ?? reference, base)) throw refuse("it is no valid URL");
  const url = new URL(absolute ?? reference, base);
  checkScheme(bases, url, reference);
  return url.href;
}

/** R-URL-08, R-TRANS-01. */
function checkScheme(bases: RepositoryBases, url: URL, reference: string): void {
  const detail = { repository: bases.handle, url: reference };
  switch (url.protocol) {
    case "https:":
      return;
    case "http:":
      if (bases.allowInsecureTransport) return;
      throw ruleError(
        "E_INSECURE_TRANSPORT",
        `cannot use URL "${reference}" of repository "${bases.handle}": it is plain http, which is not allowed there`,
        { ...detail, hint: `set allow_insecure_transport = true in ${bases.handle}.repo to allow it` },
      );
    case "file:":
      if (new URL(bases.baseUrl).protocol === "file:") return;
  }
  throw ruleError(
    "E_URL_SCHEME",
    `cannot use URL "${reference}" of repository "${bases.handle}": scheme is "${
      url.protocol.slice(0, -1)
    }", expected https`,
    detail,
  );
}

/**
 * The same resource under every base: `base_url` first, then the mirrors, when it lies below the base (R-MIR-06).
 *
 * @param url A URL made by {@link resolveReference}.
 */
export function mirrorUrls(bases: RepositoryBases, url: string): readonly string[] {
  const base = new URL(bases.baseUrl).href.replace(/\/$/, "");
  if (!url.startsWith(`${base}/`)) return [url];
  return [url, ...bases.mirrors.map((mirror) => mirror + url.slice(base.length))];
}
