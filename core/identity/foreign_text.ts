/**
 * Bytes from outside that ought to be text. A failure that quotes them has to show them as they are, and only the edge
 * that prints it may write escapes; so a byte that is no UTF-8 travels to there inside the string.
 */

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** Added to an ill-formed byte (80–FF): the lone surrogates U+DC80–U+DCFF, which decoded text never holds. */
const STANDING_FOR = 0xdc00;

/**
 * Decodes bytes that may not be UTF-8, for showing them: each ill-formed byte `NN` becomes the lone surrogate U+DCNN,
 * which the edge writes as `\xNN`. The result is no name or path and must not be used as one.
 *
 * @see C-ESC-02
 */
export function decodeForeign(bytes: Uint8Array): string {
  let text = "";
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += DECODER.decode(bytes.subarray(start, at)) + String.fromCharCode(STANDING_FOR + (bytes[at] ?? 0));
    at += 1;
    start = at;
  }
  return text + DECODER.decode(bytes.subarray(start));
}

/** Length of the well-formed UTF-8 sequence starting at `at`, or 0. Overlong forms and surrogates are ill-formed. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const continues = (offset: number) => ((bytes[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}
