import assert from "node:assert/strict";
import { elevatedQuestion } from "../../cli/prompt.ts";

Deno.test("A-SDD-05, A-THREAT-39: nothing of a descriptor's display reaches the terminal unescaped", () => {
  const { before } = elevatedQuestion('"p" 1-1 would set a security descriptor on /a\u001b[2J: x\u202ey', [
    "/usr/bin/a\u001b]0;t\u0007 (file, descriptor of 48 bytes)",
    "  allow S-1-5-21\r\nforged",
  ]);
  // deno-lint-ignore no-control-regex -- control characters are what must not be there
  for (const line of before) assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/, line);
  assert.equal(before.length, 5);
});
