/** Packages that say they are to be upgraded in another way (F-LATE-07; late profile). */
import { PeipkgError } from "../errors.ts";
import type { Plan } from "../resolver/plan.ts";
import type { ChangeRequest } from "./change_request.ts";

/** Requests that put packages forward; the others take back what was there. */
const REFUSING: ReadonlySet<ChangeRequest["kind"]> = new Set(["install", "upgrade", "import"]);

/**
 * Refuses a plan that would install or upgrade a package which declares another upgrade path.
 *
 * @param messageOf What a planned package says, by name, where it is known already; else empty.
 * @throws {PeipkgError} `alternate-upgrade`
 */
export function refuseAlternateUpgrades(
  request: ChangeRequest,
  plan: Plan,
  messageOf: (name: string, hash: string) => string,
): void {
  if (!REFUSING.has(request.kind)) return;
  for (const operation of plan.operations) {
    if (operation.kind !== "install" && operation.kind !== "upgrade") continue;
    const { name, version, hash } = operation.target;
    const message = messageOf(name, hash);
    if (message === "") continue;
    throw new PeipkgError(
      "alternate-upgrade",
      `cannot ${operation.kind} ${name} ${version.raw}: it declares another upgrade path`,
      {
        package: name,
        lines: [...message.split("\n"), "this text is the package's own; such a path may bypass these protections"],
        more: { message },
      },
    );
  }
}
