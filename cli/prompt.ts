/**
 * Questions to a person: what is shown, and what an answer means. Pure; `screen.ts` does the asking.
 *
 * @see C-PROMPT-01, C-PROMPT-10, C-AUTH-01, C-PROMPT-20
 */
import { escapeText } from "./escape.ts";

/** A question: lines shown first, then the prompt itself, which ends with one space and no newline (C-PROMPT-02). */
export interface Question {
  readonly before: readonly string[];
  readonly prompt: string;
  /** The same for a program that answers (C-DRV-01): kind, further members, and the answers it may give. */
  readonly driven: {
    readonly kind: "proceed" | "authorise" | "modified" | "trust";
    readonly fields: Readonly<Record<string, unknown>>;
    readonly answers: readonly string[];
  };
}

const YES_OR_NO: readonly string[] = ["yes", "no"];

export const ROUTINE_QUESTION: Question = {
  before: [],
  prompt: "proceed? [y/N] ",
  driven: { kind: "proceed", fields: {}, answers: YES_OR_NO },
};

/** The question after the trust ceremony (7.3). */
export function trustQuestion(repository: string, fingerprints: readonly string[]): Question {
  return {
    before: [],
    prompt: "record this trust? [y/N] ",
    driven: { kind: "trust", fields: { repository, fingerprints }, answers: YES_OR_NO },
  };
}

/**
 * The question for one elevated action (7.2).
 *
 * @param statement Unescaped.
 * @param display Further lines to show above it, unescaped.
 * @param authorisation The action in its JSON form.
 */
export function elevatedQuestion(
  statement: string,
  display: readonly string[] = [],
  authorisation: unknown = {},
): Question {
  return {
    before: [
      "",
      ...display.map((line) => `  ${escapeText(line)}`),
      "this operation requires elevated authorisation:",
      `  ${escapeText(statement)}`,
    ],
    prompt: "authorise this specific action? [y/N] ",
    driven: { kind: "authorise", fields: { authorisation }, answers: YES_OR_NO },
  };
}

/** The question about an edited configuration file (7.4). */
export function modifiedQuestion(path: string, packageName: string): Question {
  return {
    before: [
      "",
      `${escapeText(path)} has been modified since ${
        escapeText(packageName)
      } was installed, and removing the package would delete it.`,
    ],
    prompt: "remove it, keep it (it will belong to no package), or abort? [r/k/A] ",
    driven: { kind: "modified", fields: { package: packageName, path }, answers: ["remove", "keep", "abort"] },
  };
}

const normal = (answer: string | undefined): string => (answer ?? "").trim().toLowerCase();

/** C-PROMPT-01: only `y` and `yes` mean yes; the end of input does not. */
export function isYes(answer: string | undefined): boolean {
  return ["y", "yes"].includes(normal(answer));
}

/** C-PROMPT-20: anything that is not clearly one of the first two aborts. */
export function parseModifiedAnswer(answer: string | undefined): "remove" | "keep" | "abort" {
  const word = normal(answer);
  if (word === "r" || word === "remove") return "remove";
  if (word === "k" || word === "keep") return "keep";
  return "abort";
}
