/**
 * Progress as plain records. Events are lossy, synchronous and never awaited; they carry no prose, and nothing
 * may depend on whether anyone listens. Questions and audit records are never events.
 */
import type { Warning } from "./errors.ts";

/** Phases of an operation, in order (C-JSON `progress`). */
export type Phase = "fetch" | "verify" | "stage" | "apply" | "commit" | "finish";

export type ProgressEvent =
  | {
    readonly kind: "progress";
    readonly phase: Phase;
    /** 1-based position among `steps`. */
    readonly step: number;
    readonly steps: number;
    /** Package or document concerned. */
    readonly subject?: string;
    readonly version?: string;
    readonly bytes?: number;
    readonly bytesTotal?: number;
  }
  | { readonly kind: "warning"; readonly warning: Warning }
  /** A transaction row exists; from here a failure rolls back. */
  | { readonly kind: "transaction"; readonly id: number }
  /** The commit instant has passed. */
  | { readonly kind: "committed"; readonly id: number }
  | { readonly kind: "rolling-back"; readonly id: number }
  | { readonly kind: "recovered"; readonly id: number }
  | { readonly kind: "side-effects"; readonly names: readonly string[] }
  /** The writer lock is held by someone else and we wait. */
  | { readonly kind: "waiting-for-lock"; readonly pid?: number; readonly command?: string }
  | {
    readonly kind: "repository";
    readonly name: string;
    readonly result: "added" | "removed" | "refreshed" | "unchanged" | "failed";
    readonly indexVersion?: number;
    readonly packages?: number;
    readonly code?: string;
    readonly message?: string;
  }
  /** A repository is past an age limit and is refreshed first (C-INSTALL-14); no age: no usable time is recorded. */
  | {
    readonly kind: "over-age";
    readonly repository: string;
    /** What is too old: the last refresh, or the index itself. */
    readonly measured: "refresh" | "index";
    readonly ageDays: number | undefined;
    readonly limitDays: number;
  }
  | {
    readonly kind: "file";
    readonly path: string;
    readonly action: "written" | "kept" | "displaced" | "removed" | "adopted";
    readonly package?: string;
    /** Where the old content is (displaced) or the new default was written (kept). */
    readonly place?: string;
  }
  /** A security descriptor a package brings along, told before it is applied (A-SDP-02). */
  | {
    readonly kind: "descriptor";
    readonly package: string;
    readonly version: string;
    readonly path: string;
    readonly state: "applied" | "stored" | "not-applied";
    readonly summary: string;
  }
  /** Narration for `-v`: requests, timings. Never shown otherwise. */
  | { readonly kind: "trace"; readonly text: string };

/** Receives events. Must not throw and must not call back into the library. */
export type Emit = (event: ProgressEvent) => void;
