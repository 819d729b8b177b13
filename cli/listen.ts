/**
 * What the library reports while it works, handed to the screen: as events for a program, as warnings, narration and
 * a progress line for a person.
 */
import type { Emit, Phase, ProgressEvent, WarningRule } from "../mod.ts";
import { escapeText } from "./escape.ts";
import type { Screen } from "./screen.ts";

/** Byte updates of one step, at most four a second (6.3). */
const UPDATE_MILLISECONDS = 250;

const PHASE_VERBS: Readonly<Record<Phase, string>> = {
  fetch: "fetching",
  verify: "verifying",
  stage: "staging",
  apply: "applying",
  commit: "committing",
  finish: "finishing",
};

export type Step = Extract<ProgressEvent, { readonly kind: "progress" }>;
type RepositoryEvent = Extract<ProgressEvent, { readonly kind: "repository" }>;
type OverAgeEvent = Extract<ProgressEvent, { readonly kind: "over-age" }>;
type DescriptorEvent = Extract<ProgressEvent, { readonly kind: "descriptor" }>;
type FileEvent = Extract<ProgressEvent, { readonly kind: "file" }>;

/** `fetching nginx 1.27.5-1`, unescaped. */
export function stepSubject(step: Step): string {
  return [PHASE_VERBS[step.phase], step.subject, step.version].filter((word) => word !== undefined).join(" ");
}

/** The plain line for one step where nothing can be redrawn: `fetching nginx 1.27.5-1 (3/12)` (C-PROG-04). */
export function renderStep(step: Step): string {
  return `${stepSubject(step)} (${step.step}/${step.steps})`;
}

/** `-v`: a line for each fetch, verification and staging, and one for the commit (5.2, C-PROG-04). */
function narrateStep(screen: Screen, step: Step): void {
  if (step.phase === "commit") screen.narrate(commitText(screen.transaction));
  else if (step.phase !== "apply" && step.phase !== "finish") screen.narrate(renderStep(step));
}

/** `committing transaction 51` */
export function commitText(transaction: number | undefined): string {
  return transaction === undefined ? "committing" : `committing transaction ${transaction}`;
}

function repositoryFields(event: RepositoryEvent): Readonly<Record<string, unknown>> {
  return {
    name: event.name,
    result: event.result,
    index_version: event.indexVersion,
    packages: event.packages,
    code: event.code,
    message: event.message,
  };
}

function showFile(screen: Screen, event: FileEvent): void {
  // Adopting changes nothing on disk; it is told to people who ask for detail only.
  if (event.action === "adopted") {
    screen.narrate(`adopted ${event.path}, which was identical`);
    return;
  }
  screen.event("file", { path: event.path, action: event.action, package: event.package });
  // C-INSTALL-03: the place of what was moved aside is always told.
  if (event.action === "displaced" && event.place !== undefined) {
    screen.info(`moved aside ${escapeText(event.path)} to ${escapeText(event.place)}`);
  } else screen.narrate(`${event.action} ${event.path}`);
}

/** C-INSTALL-14: why something is fetched that was not asked for. */
function showOverAge(screen: Screen, event: OverAgeEvent): void {
  if (screen.mode.quiet) return;
  const { measured, ageDays, limitDays } = event;
  const what = measured === "refresh" ? "last refreshed" : "index generated";
  const age = ageDays === undefined ? "at an unknown time" : `${ageDays}d ago`;
  const text = `repository "${escapeText(event.repository)}" ${what} ${age} (maximum ${limitDays}d); refreshing`;
  screen.aside(`${screen.mode.program}: ${text}`);
}

/** What becomes of a descriptor a package declares, before it does (A-SDP-02); unescaped. */
function descriptorText({ package: name, version, path, state, summary }: DescriptorEvent): string {
  const verbs = { applied: "sets a", stored: "stores a", "not-applied": "goes without its" };
  return `"${name}" ${version} ${verbs[state]} security descriptor on ${path}: ${summary}`;
}

/**
 * Builds the receiver of progress.
 *
 * @param codes The library's names of warnings in JSON.
 * @param monotonic Milliseconds of a clock that never goes back.
 */
export function listenFor(
  screen: Screen,
  codes: Readonly<Record<WarningRule, string>>,
  monotonic: () => number,
): Emit {
  let current = "";
  let lastUpdate = -Infinity;
  let phase: { readonly name: Phase; readonly since: number } | undefined;

  /** How long each phase took, for `-vv` (C-GLOB-07). */
  const showTiming = ({ phase: name }: Step): void => {
    if (screen.mode.verbose < 2 || phase?.name === name) return;
    const now = monotonic();
    if (phase !== undefined) screen.narrate(timingText(PHASE_VERBS[phase.name], now - phase.since));
    phase = { name, since: now };
  };

  const showStep = (event: Step): void => {
    const step = `${event.phase} ${event.step} ${event.subject ?? ""}`;
    const now = monotonic();
    const isNew = step !== current;
    if (isNew || now - lastUpdate >= UPDATE_MILLISECONDS) {
      lastUpdate = now;
      screen.event("progress", {
        phase: event.phase,
        step: event.step,
        steps: event.steps,
        package: event.subject,
        bytes: event.bytes,
        bytes_total: event.bytesTotal,
      });
    }
    if (isNew && screen.isHuman) narrateStep(screen, event);
    current = step;
  };

  return (event) => {
    switch (event.kind) {
      case "progress":
        showTiming(event);
        showStep(event);
        break;
      case "warning":
        screen.warn(event.warning.rule, codes[event.warning.rule], event.warning.text);
        break;
      case "transaction":
        screen.transaction = event.id;
        screen.event("transaction", { id: event.id });
        break;
      case "committed":
        screen.committed = event.id;
        screen.event("committed", { transaction: event.id });
        break;
      case "rolling-back":
        screen.rollingBack = true;
        break;
      case "recovered":
        screen.rollingBack = false;
        screen.warn("W_RECOVERED", codes.W_RECOVERED, `recovered: interrupted transaction ${event.id} was rolled back`);
        break;
      case "side-effects":
        screen.narrate(`running side effects: ${event.names.join(", ")}`);
        break;
      case "waiting-for-lock":
        screen.notice(waitingText(event.pid, event.command)); // T-LOCK-05
        break;
      case "repository":
        screen.event("repository", repositoryFields(event));
        break;
      case "over-age":
        showOverAge(screen, event);
        break;
      case "file":
        showFile(screen, event);
        break;
      case "descriptor":
        screen.info(escapeText(descriptorText(event)));
        break;
      case "trace":
        if (screen.mode.verbose > 1) screen.narrate(event.text);
        break;
    }
    screen.draw(event);
  };
}

/** `staging took 12 ms` */
export function timingText(what: string, milliseconds: number): string {
  return `${what} took ${Math.round(milliseconds)} ms`;
}

function waitingText(pid: number | undefined, command: string | undefined): string {
  const holder = pid === undefined ? "another process" : `process ${pid}`;
  return `waiting for ${holder}${command === undefined ? "" : ` (${command})`}`;
}
