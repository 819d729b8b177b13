/** Unpadded standard-alphabet base64, one spelling per value (F-GEN-03, F-GEN-04). */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Letter code → six bits; 255 marks a byte that is no base64 letter. */
const VALUES = new Uint8Array(128).fill(255);
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

/**
 * Decodes unpadded base64.
 *
 * @returns `undefined` for padding, whitespace, URL-safe letters, an impossible length or non-zero unused bits; the
 *   caller names the rule of its field.
 * @see F-GEN-04
 */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const rest = text.length % 4;
  if (rest === 1) return undefined;
  const bytes = new Uint8Array(Math.floor(text.length / 4) * 3 + (rest === 0 ? 0 : rest - 1));
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255;
    if (value === 255) return undefined;
    bits = (bits << 6 | value) & 0xffffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[at++] = bits >> bitCount & 0xff;
    }
  }
  const unused = bits & ((1 << bitCount) - 1);
  return unused === 0 ? bytes : undefined;
}

/** Encodes bytes as unpadded base64 (F-GEN-03). */
export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}
