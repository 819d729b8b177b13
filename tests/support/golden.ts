/**
 * Whole screens kept in one fixture each, compared as they are. `PEIPKG_UPDATE_SCREENS=1` writes the fixture anew: look
 * at what changed before keeping it.
 */
import assert from "node:assert/strict";

export interface Screen {
  readonly title: string;
  readonly text: string;
}

/** Compares screens with `tests/fixtures/screens/NAME.txt`. */
export function assertScreens(name: string, screens: readonly Screen[]): void {
  const path = `tests/fixtures/screens/${name}.txt`;
  const shown = screens.map(({ title, text }) => `=== ${title}\n${text}`).join("\n");
  if (Deno.env.get("PEIPKG_UPDATE_SCREENS") === "1") Deno.writeTextFileSync(path, shown);
  assert.equal(shown, Deno.readTextFileSync(path));
}

/** Puts names in the place of what differs from run to run. */
export function normalise(text: string, directory: string): string {
  const fingerprints = new Map<string, string>();
  return text
    .replaceAll(directory, "WORLD")
    .replace(/127\.0\.0\.1:\d+/g, "SERVER")
    .replace(/\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z/g, "TIME")
    .replace(/\b(?:[0-9a-f]{4} ?){16}(?![0-9a-f])/g, (found) => {
      const key = found.replaceAll(" ", "");
      if (!fingerprints.has(key)) fingerprints.set(key, `DIGEST-${fingerprints.size + 1}`);
      return `${fingerprints.get(key)}${found.endsWith(" ") ? " " : ""}`;
    });
}
