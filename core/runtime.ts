import type { System } from "./system.ts";

export interface RealSystemOptions {
  /** Path of the running program as a package would own it, when it is not the running executable. */
  readonly programPath?: string;
}

/** The real world. Nothing is opened or loaded before it is first needed. */
export function realSystem(options: RealSystemOptions = {}): System {
  throw new Error(`not built: ${options.programPath}`);
}
