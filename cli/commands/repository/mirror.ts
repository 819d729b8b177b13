/** `peipkg-repo mirror` */
import { mirrorRepository, parseBaseUrl, RateLimit, resolveSettings } from "../../../mod.ts";
import { hasFlag, optionList, UsageError } from "../../arguments.ts";
import { BUILD_INFO } from "../../build_info.ts";
import { escapeText } from "../../escape.ts";
import type { Invocation } from "../../invocation.ts";
import { PRODUCER_LAYOUT, readFingerprint } from "../../producing.ts";

export async function run(invocation: Invocation): Promise<0 | 1> {
  const { args, screen, world } = invocation;
  const { options } = args;
  const [url = "", directory = ""] = args.operands;
  const anchors = optionList(args.options, "anchor").map((text) => readFingerprint(args, text));
  if (anchors.length === 0) {
    throw new UsageError(args.words, "at least one --anchor is required", { path: args.path });
  }
  const session = await invocation.session();
  // Proxies and time-outs as they are by default: the producer tools have no configuration.
  const { settings } = resolveSettings({
    options: new Map(),
    overrides: [],
    environment: new Map([...world.environment].filter(([name]) => !name.startsWith("PEIPKG_"))),
    file: undefined,
    version: BUILD_INFO.version,
  });
  const network = {
    session,
    settings,
    startedAt: session.system.now(),
    certificates: undefined,
    rate: new RateLimit(settings.fetchRateBytesPerSecond),
    openCache: () => undefined,
  };
  const packages = optionList(args.options, "package");
  const result = await mirrorRepository({ session, layout: PRODUCER_LAYOUT }, network, {
    baseUrl: parseBaseUrl(url),
    directory,
    anchors,
    activeOnly: hasFlag(options, "active-only"),
    allowInsecureTransport: hasFlag(options, "insecure"),
    ...(packages.length === 0 ? {} : { packages }),
  });
  // No warning of the table fits: people read a line, programs the same as members of the document.
  const warn = (text: string): void => {
    screen.aside(`${screen.mode.program}: ${screen.style("stderr", "warning", "warning:")} ${escapeText(text)}`);
  };
  if (result.leftOut > 0) warn(`${result.leftOut} indexed packages were left out; installing them from here fails`);
  for (const missing of result.notMirrored) warn(`${missing} lies outside the repository and was not copied`);
  screen.document({
    result: "mirrored",
    index_version: result.indexVersion,
    packages: [],
    fetched: result.fetched,
    present: result.present,
    left_out: result.leftOut,
    not_mirrored: result.notMirrored,
  });
  screen.info(`mirrored index_version ${result.indexVersion}: ${result.fetched} fetched, ${result.present} present`);
  return 0;
}
