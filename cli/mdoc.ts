/** Manual page source in the mdoc language: text made safe for it, and the sections every page is built from. */

/** A section of a page: heading and lines of source. */
export interface Section {
  readonly heading: string;
  readonly lines: readonly string[];
}

export interface Page {
  readonly name: string;
  readonly section: number;
  readonly summary: string;
  readonly sections: readonly Section[];
}

/** Pages carry no build date, so that equal input gives equal bytes; they change with the program's version. */
const MANUAL_DATE = "January 1, 2026";

/** Text as the language must be given it: no escape, no request at the beginning of a line. */
export function mdocText(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replace(/^([.'])/, "\\&$1")
    .replaceAll("-", "\\-")
    .replace(/[^ -~]/gu, (character) => `\\[u${hexOf(character)}]`);
}

const hexOf = (character: string): string =>
  (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

/** A word as an argument of a macro: quoted, so that none of it is taken for a macro. */
export function mdocArgument(text: string): string {
  return `"${mdocText(text).replaceAll('"', '""')}"`;
}

/** A list of terms with their texts. */
export function mdocList(items: readonly (readonly [term: string, text: string])[]): readonly string[] {
  return [
    ".Bl -tag -width Ds",
    ...items.flatMap(([term, text]) => [`.It ${mdocArgument(term)}`, mdocText(text)]),
    ".El",
  ];
}

/** Paragraphs, with the macro between them. */
export function mdocParagraphs(paragraphs: readonly string[]): readonly string[] {
  return paragraphs.flatMap((paragraph, index) => index === 0 ? [mdocText(paragraph)] : [".Pp", mdocText(paragraph)]);
}

/** Lines as they are. */
export function mdocLiteral(lines: readonly string[]): readonly string[] {
  return [".Bd -literal -offset indent", ...lines.map(mdocText), ".Ed"];
}

/** The source of a page; sections without lines are left out. */
export function renderPage({ name, section, summary, sections }: Page): string {
  const lines = [
    `.Dd ${MANUAL_DATE}`,
    `.Dt ${mdocArgument(name.toUpperCase())} ${section}`,
    ".Os Peios",
    ".Sh NAME",
    `.Nm ${mdocArgument(name)}`,
    `.Nd ${mdocText(summary)}`,
    ...sections.filter(({ lines }) => lines.length > 0).flatMap(({ heading, lines }) => [`.Sh ${heading}`, ...lines]),
  ];
  return `${lines.join("\n")}\n`;
}
