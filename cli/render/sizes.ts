/** Sizes for people: bytes below 1024, else one decimal of KiB, MiB or GiB. @see C-OUT-13 */

const UNITS = ["KiB", "MiB", "GiB"] as const;

/**
 * @param bytes Number of bytes, not negative.
 * @returns `512 B`, `9.8 MiB`
 */
export function renderSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let text = "";
  for (const unit of UNITS) {
    value /= 1024;
    text = `${value.toFixed(1)} ${unit}`;
    // 1023.97 would round to "1024.0 KiB"; the next unit says it better.
    if (Number(value.toFixed(1)) < 1024) return text;
  }
  return text;
}

/** A change in size with its sign: `+31.2 MiB`, `-4.0 KiB`, `+0 B`. */
export function renderSizeChange(bytes: number): string {
  return `${bytes < 0 ? "-" : "+"}${renderSize(Math.abs(bytes))}`;
}
