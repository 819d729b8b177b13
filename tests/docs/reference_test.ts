import assert from "node:assert/strict";
import { referencePages } from "../../.build/reference.ts";
import { fromFileUrl } from "../support/paths.ts";

const HOME = fromFileUrl(import.meta.url, 3);

Deno.test("docs/reference is current: deno task reference makes it so", async () => {
  const pages = await referencePages();
  const names = [...Deno.readDirSync(`${HOME}/docs/reference`)].map((entry) => entry.name).sort();
  assert.deepEqual(names, [...pages.keys()].sort());
  const stale: string[] = [];
  for (const [name, text] of pages) {
    if (await Deno.readTextFile(`${HOME}/docs/reference/${name}`) !== text) stale.push(name);
  }
  assert.deepEqual(stale, [], "run deno task reference");
});

Deno.test("docs/reference/format.md tells which destinations the profiles open", async () => {
  const text = (await referencePages()).get("format.md") ?? "";
  for (
    const line of [
      "| `usr/bin/` | yes | yes | yes | yes |",
      "| `usr/lib/x86_64-linux-peios/` | yes | no | yes | no |",
      "| `etc/` | yes | yes | no | no |",
      "| `var/` | directories | directories | directories | directories |",
      "| `home/` | no | no | no | no |",
      "| `payloadEntries` | 100,000 | F-LIM-01 |",
    ]
  ) assert.ok(text.includes(`${line}\n`), line);
});
