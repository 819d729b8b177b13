/**
 * What must hold between a package's documents and its payload: coverage, sizes, sums, targets of overrides and
 * claims, places, and the side effects that content calls for (sections 9, 11, 12). Violations are reported to a
 * collector, because a fault of the signature outranks them (F-VFY-13).
 */
import { excerpt, PeipkgError, ruleError } from "../errors.ts";
import { baseNameOf, compareBytes, type SafePath } from "../identity/safe_path.ts";
import type { Claim } from "./claims_field.ts";
import { checkSymlinkTarget, createDestinationCheck, type DestinationRules } from "./destinations.ts";
import { findDescriptorDanger } from "./descriptor_safety.ts";
import type { FileList } from "./file_list.ts";
import type { Manifest, SideEffect, Warn } from "./manifest.ts";

/** A payload entry as the checks need it. */
export interface CheckedEntry {
  readonly path: SafePath;
  readonly type: "file" | "dir" | "symlink";
  readonly sizeBytes: number;
  readonly target?: string;
}

/** Receives violations in the order found. */
export type Violated = (violation: PeipkgError) => void;

const NONE: FileList = { paths: [], sizes: [], hashes: [] };

/** Walks payload entries and the rows of the files document in step: both are in byte order of paths. */
export class FileCoverage {
  private next = 0;
  private totalBytes = 0;

  constructor(private readonly list: FileList = NONE, private readonly violated: Violated) {}

  /**
   * Matches the next regular file with its row.
   *
   * @returns The hash its content must have; `undefined` when it has no row.
   * @see F-INT-01 … F-INT-03
   */
  match(path: SafePath, sizeBytes: number): string | undefined {
    this.totalBytes += sizeBytes;
    for (;;) {
      const listed = this.list.paths[this.next];
      const order = listed === undefined ? 1 : compareBytes(listed, path);
      if (order < 0) {
        this.orphan(listed ?? "");
        continue;
      }
      if (order > 0) {
        const message = `cannot accept file "${path}": the files document does not list it`;
        this.violated(ruleError("E_FILES_UNLISTED", message, { path: `/${path}` }));
        return undefined;
      }
      const size = this.list.sizes[this.next];
      if (size !== sizeBytes) {
        const message = `cannot accept file "${path}": it has ${sizeBytes} bytes, the files document says ${size}`;
        this.violated(ruleError("E_FILE_SIZE", message, { path: `/${path}` }));
      }
      return this.list.hashes[this.next++];
    }
  }

  /**
   * Ends the payload.
   *
   * @param sizeInstalledBytes What the manifest says; `undefined` when it could not be read.
   * @see F-INT-02, F-INT-05
   */
  finish(sizeInstalledBytes: number | undefined): void {
    while (this.next < this.list.paths.length) this.orphan(this.list.paths[this.next] ?? "");
    if (sizeInstalledBytes === undefined || sizeInstalledBytes === this.totalBytes) return;
    this.violated(ruleError(
      "E_SIZE_INSTALLED",
      `cannot accept package: its files have ${this.totalBytes} bytes, the manifest says ${sizeInstalledBytes}`,
      { document: "manifest", field: "size_installed" },
    ));
  }

  private orphan(path: string): void {
    this.next++;
    const shown = excerpt(path);
    const message = `cannot accept package: the files document lists "${shown}", which is no file of the payload`;
    this.violated(ruleError("E_FILES_ORPHAN", message, { path: `/${path}`, document: "files" }));
  }
}

/**
 * Prepares the test of an entry's place and, for a link, of where it leads.
 *
 * @param exemption The manifest asks for an exemption from the layout, which nobody has granted (F-LATE-02).
 * @see F-DST-01, F-SYM-01 … F-SYM-06
 */
export function createPlaceCheck(
  rules: DestinationRules,
  exemption: boolean,
  violated: Violated,
): (entry: CheckedEntry) => void {
  const destinations = createDestinationCheck(rules);
  return (entry) => {
    collect(violated, () => {
      try {
        destinations.check(entry.path, entry.type);
      } catch (cause) {
        throw exemption && cause instanceof PeipkgError ? refusedExemption(cause) : cause;
      }
    });
    const { target } = entry;
    if (target !== undefined) collect(violated, () => checkSymlinkTarget(entry.path, target, rules.layout));
  };
}

/**
 * Checks that neither a claim link nor a security descriptor reaches into drop-in directories that a payload entry of
 * the package could not use.
 *
 * @see F-DROP-02, F-DROP-03, C-MAT-12, A-DROPIN-05
 */
export function checkDropinReferences(manifest: Manifest, rules: DestinationRules, violated: Violated): void {
  const destinations = createDestinationCheck(rules);
  for (const { path } of claimsOf(manifest)) {
    if (path !== undefined) collect(violated, () => destinations.checkClaimPath(path));
  }
  for (const { path } of manifest.sdOverrides) collect(violated, () => destinations.checkOverride(path));
}

function claimsOf(manifest: Manifest): readonly Claim[] {
  return [...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.provides]
    .flatMap((relation) => relation.claims);
}

/** Runs a check and hands its violation on; anything else escapes. */
export function collect(violated: Violated, check: () => void): void {
  try {
    check();
  } catch (cause) {
    if (!(cause instanceof PeipkgError)) throw cause;
    violated(cause);
  }
}

/**
 * Checks what the manifest says about single payload entries, once all of them are known.
 *
 * @see F-SDO-01, F-CLM-04, F-CLM-06, A-SDF-10 to A-SDF-16
 */
export function checkReferences(manifest: Manifest, entries: readonly CheckedEntry[], violated: Violated): void {
  const claims = claimsOf(manifest);
  if (claims.length === 0 && manifest.sdOverrides.length === 0) return;
  const types = new Map<string, CheckedEntry["type"]>(entries.map((entry) => [entry.path, entry.type]));
  for (const { path, descriptor } of manifest.sdOverrides) {
    const danger = findDescriptorDanger(descriptor);
    if (danger !== undefined) {
      const message = `cannot accept package: the security descriptor for "${path}" is unsafe: ${danger}`;
      violated(ruleError("SD_UNSAFE", message, { path: `/${path}`, document: "manifest", field: "sd_overrides" }));
    }
    const type = types.get(path);
    if (type === "file" || type === "dir") continue;
    const found = type === undefined ? "which is not in the payload" : "which is a symlink";
    const message = `cannot accept package: a security descriptor is given for "${path}", ${found}`;
    violated(ruleError("E_SD_TARGET", message, { path: `/${path}`, document: "manifest", field: "sd_overrides" }));
  }
  for (const { slot, path, target } of claims) {
    const type = target === undefined ? "file" : types.get(target);
    if (type !== "file" && type !== "symlink") {
      const message = `cannot accept package: slot "${slot}" claims "/${target}", which is no file or symlink of it`;
      violated(ruleError("E_CLAIM_TARGET", message, { path: `/${target}`, document: "manifest" }));
    }
    if (path !== undefined && types.has(path)) {
      const message = `cannot accept package: claim path "/${path}" of slot "${slot}" is in its own payload`;
      violated(ruleError("E_CLAIM_PATH", message, { path: `/${path}`, document: "manifest" }));
    }
  }
}

/** Notes which side effects the content of a payload calls for (F-MAN-09). */
export class SideEffectNeeds {
  private readonly needed = new Set<SideEffect>();

  note(path: SafePath, type: CheckedEntry["type"]): void {
    if (type === "dir") return;
    if (path.includes(".so") && isSharedLibrary(baseNameOf(path))) this.needed.add("ldconfig");
    if (/^(?:usr\/)?etc\/ld\.so\.conf\.d\//.test(path)) this.needed.add("ldconfig");
    if (path.startsWith("usr/lib/modules/") && /\.ko(?:\.[^/]*)?$/.test(path)) this.needed.add("depmod");
    if (path.startsWith("usr/share/man/")) this.needed.add("man-db");
  }

  /** Where declaration and content differ. An undeclared `man-db` is advice only, an unneeded one is harmless. */
  differences(manifest: Manifest): readonly { readonly effect: SideEffect; readonly text: string }[] {
    const found: { readonly effect: SideEffect; readonly text: string }[] = [];
    for (const effect of ["ldconfig", "depmod", "man-db"] as const) {
      const declared = manifest.sideEffects.includes(effect);
      if (this.needed.has(effect) && !declared) {
        found.push({ effect, text: `the content needs side effect "${effect}", which is not declared` });
      } else if (declared && !this.needed.has(effect) && effect !== "man-db") {
        found.push({ effect, text: `side effect "${effect}" is declared, no content needs it` });
      }
    }
    return found;
  }

  /** Warns of every difference. */
  warn(manifest: Manifest, warn: Warn): void {
    for (const { text } of this.differences(manifest)) warn({ rule: "W_SIDE_EFFECT", text });
  }
}

function isSharedLibrary(baseName: string): boolean {
  return baseName.endsWith(".so") || baseName.includes(".so.");
}

function refusedExemption(cause: PeipkgError): PeipkgError {
  const found = "the package asks to be exempt from the layout, which this system does not allow";
  return ruleError("E_DEST_EXEMPTION", `${cause.message}; ${found}`, { ...cause.detail, cause });
}
