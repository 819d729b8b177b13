/** Files the operator names literally: read whole, within a limit. */
import { PeipkgError, type Session } from "../mod.ts";

/**
 * @throws {PeipkgError} `io` when it is longer than the limit; what the system refuses otherwise.
 */
export function readOperandBytes(session: Session, path: string, limitBytes: number): Uint8Array {
  using file = session.system.openFile(path);
  const { sizeBytes } = file.status();
  if (sizeBytes > limitBytes) {
    throw new PeipkgError("io", `cannot read "${path}": it has ${sizeBytes} bytes, the limit is ${limitBytes}`, {
      path,
    });
  }
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  while (at < bytes.length) {
    const count = file.readAt(bytes.subarray(at), at);
    if (count === 0) break; // it became shorter meanwhile
    at += count;
  }
  return bytes.subarray(0, at);
}

/** As `readOperandBytes()`, as text. */
export function readOperandFile(session: Session, path: string, limitBytes: number): string {
  return new TextDecoder().decode(readOperandBytes(session, path, limitBytes));
}
