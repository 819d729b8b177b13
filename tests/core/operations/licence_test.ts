import assert from "node:assert/strict";
import { judgeLicence } from "../../../core/operations/licence.ts";

const CASES: Readonly<Record<string, readonly string[]>> = {
  identifier: ["MIT", "GPL-2.0", "GPL-2.0-or-later", "0BSD"],
  expression: [
    "MIT OR Apache-2.0",
    "(MIT)",
    "GPL-2.0+",
    "GPL-2.0-only WITH Classpath-exception-2.0 AND (MIT OR LicenseRef-mine)",
    "DocumentRef-x:LicenseRef-y",
    "MIT  AND  ISC",
  ],
  text: [
    "",
    "mit",
    "MIT and ISC",
    "MIT OR",
    "OR MIT",
    "(MIT",
    "MIT)",
    "MIT ISC",
    "MIT WITH nothing",
    "Do what you like",
    "LicenseRef-",
    `${"(".repeat(60)}MIT${")".repeat(60)}`,
  ],
};

for (const [kind, texts] of Object.entries(CASES)) {
  for (const text of texts) {
    Deno.test(`C-SBOM-01: judgeLicence() takes ${JSON.stringify(text.slice(0, 60))} for ${kind}`, () => {
      assert.equal(judgeLicence(text).kind, kind);
    });
  }
}
