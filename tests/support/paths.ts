/** The directory `levels` above a module's file. */
export function fromFileUrl(url: string, levels: number): string {
  const parts = decodeURIComponent(new URL(url).pathname).split("/");
  return parts.slice(0, parts.length - levels).join("/");
}
