/** The operator's notes about packages (C-ANNOTATE): the only SQL for `annotation`. */
import type { PackageName } from "../identity/package_name.ts";
import type { Database } from "./database.ts";
import { nameOf, textOf } from "./row.ts";

export interface Annotation {
  readonly package: PackageName;
  readonly tag: string;
  readonly value: string;
}

/** Annotations, all or of one package, by package and tag. */
export function readAnnotations(database: Database, name?: string): readonly Annotation[] {
  const where = name === undefined ? "" : "WHERE package_name = ?";
  const sql = `SELECT package_name, tag, value FROM annotation ${where} ORDER BY package_name, tag`;
  const values = name === undefined ? [] : [name];
  return database.statement(sql).all(...values).map((row) => ({
    package: nameOf(row, "package_name"),
    tag: textOf(row, "tag"),
    value: textOf(row, "value"),
  }));
}

/** One annotation; `undefined` when there is none. */
export function readAnnotation(database: Database, name: string, tag: string): string | undefined {
  const row = database.statement("SELECT value FROM annotation WHERE package_name = ? AND tag = ?").get(name, tag);
  return row === undefined ? undefined : textOf(row, "value");
}

export function setAnnotation(database: Database, annotation: Annotation): void {
  database.statement(
    `INSERT INTO annotation (package_name, tag, value) VALUES (?, ?, ?)
      ON CONFLICT (package_name, tag) DO UPDATE SET value = excluded.value`,
  ).run(annotation.package, annotation.tag, annotation.value);
}

/** @returns false when there was no such annotation. */
export function deleteAnnotation(database: Database, name: string, tag: string): boolean {
  return database.statement("DELETE FROM annotation WHERE package_name = ? AND tag = ?").run(name, tag) > 0;
}
