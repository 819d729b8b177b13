/** Base URLs of repositories and mirrors (R-URL-01). */
import { ruleError } from "../errors.ts";

declare const brand: unique symbol;

/** A checked base: no trailing slash, query, fragment or credentials trickery; `https`, `http` or `file`. */
export type BaseUrl = string & { readonly [brand]: "BaseUrl" };

/**
 * Checks a base URL.
 *
 * @throws {PeipkgError} `repo-config` (`E_BASE_URL`)
 * @see R-URL-01
 */
export function parseBaseUrl(text: string): BaseUrl {
  const fail = (found: string) => ruleError("E_BASE_URL", `cannot use base URL "${text}": ${found}`, { url: text });
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) throw fail("it is no absolute URL");
  if (scheme !== "https" && scheme !== "http" && scheme !== "file") {
    throw fail(`scheme is "${scheme}", expected https, http or file`);
  }
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f\\]/.test(text)) throw fail("it contains a blank, control character or backslash");
  if (text.endsWith("/")) throw fail("it ends with a slash");
  if (text.includes("?") || text.includes("#")) throw fail("it has a query or fragment");
  if (!URL.canParse(text)) throw fail("it is no valid URL");
  const url = new URL(text);
  if (scheme === "file") {
    // `file://host/path` names another machine; only an absolute path here is meant.
    if (url.host !== "" || !/^file:\/\/\//i.test(text)) throw fail("a file URL needs an absolute path and no host");
    if (url.pathname === "/") throw fail("a file URL needs a path");
  } else if (url.hostname === "" || /^[a-z]+:\/\/\//i.test(text)) {
    throw fail("it has no host");
  }
  if (hasUnsafePath(text)) throw fail('its path has a "." or ".." segment');
  return text as BaseUrl;
}

/**
 * Whether the path of a URL has a dot segment, raw or percent-encoded, a NUL or a backslash. It looks at the text:
 * a URL parser would have folded the segments away before anyone could refuse them (R-URL-07).
 */
export function hasUnsafePath(text: string): boolean {
  const path = text.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, "").replace(/[?#].*$/s, "");
  if (/\\|%5c|\0|%00/i.test(path)) return true;
  return path.split(/\/|%2f/i).some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
}
