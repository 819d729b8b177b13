/**
 * Security descriptors packages bring along (audit-and-security.md sections 8 and 9): one policy function decides
 * whether a package with overrides may be installed at all. This release applies none: such a package is refused
 * before anything is staged, never installed without them.
 */
import { ruleError } from "../errors.ts";
import type { ContentSource } from "./input.ts";

/**
 * Refuses every package that declares a security descriptor.
 *
 * @param hasKacs Whether the kernel answers for the Peios access-control system.
 * @throws {PeipkgError} `sd-override`: `SD_UNSUPPORTED_KERNEL` where the kernel cannot apply it (A-SDA-30),
 * `E_SD_POLICY` where policy does not let it through (A-SDP-09)
 */
export function requireDescriptorPolicy(contents: Iterable<ContentSource>, hasKacs: boolean): void {
  for (const content of contents) {
    const overrides = content.manifest.sdOverrides;
    if (overrides.length === 0) continue; // A-SDP-12
    const paths = overrides.map(({ path }) => ({ path: `/${path}`, package: content.name }));
    const detail = { package: content.name, paths, lines: paths.map(({ path }) => path) };
    if (!hasKacs) {
      throw ruleError(
        "SD_UNSUPPORTED_KERNEL",
        `cannot install ${content.name}: it declares security descriptors, which this kernel cannot apply`,
        detail,
      );
    }
    throw ruleError(
      "E_SD_POLICY",
      `cannot install ${content.name}: it declares security descriptors, which the policy does not allow`,
      { ...detail, hint: "allow_sd_overrides of its repository is false" },
    );
  }
}
