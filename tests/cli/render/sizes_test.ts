import assert from "node:assert/strict";
import { renderSize, renderSizeChange } from "../../../cli/render/sizes.ts";

Deno.test("C-OUT-13: renderSize() has bytes below 1024 and one decimal above", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [512, "512 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [10_276_045, "9.8 MiB"],
    [1_048_575, "1.0 MiB"],
    [2_040_109_466, "1.9 GiB"],
    [5_497_558_138_880, "5120.0 GiB"],
  ];
  for (const [bytes, expected] of cases) assert.equal(renderSize(bytes), expected);
  assert.equal(renderSizeChange(-4096), "-4.0 KiB");
  assert.equal(renderSizeChange(0), "+0 B");
});
