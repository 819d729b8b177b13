/**
 * A validator for the part of JSON Schema the program uses. Stricter than the schemas say: a member no schema names is
 * a fault here, because readers ignore it and nobody would notice that it is not described (C-JSON-01).
 */
import type { SchemaDocument } from "../../cli/json_documents.ts";
import type { Schema } from "../../cli/json_schema.ts";

/** Faults of a value, each with the place; empty: it is as described. */
export function schemaFaults(document: SchemaDocument, value: unknown): readonly string[] {
  return faultsAt(document, document, value, "$");
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function faultsAt(document: SchemaDocument, schema: Schema, value: unknown, place: string): readonly string[] {
  if (schema.$ref !== undefined) {
    const target = document.$defs[schema.$ref.slice("#/$defs/".length)];
    return target === undefined
      ? [`${place}: ${schema.$ref} is not defined`]
      : faultsAt(document, target, value, place);
  }
  if (schema.anyOf !== undefined) return alternativeFaults(document, schema.anyOf, value, place);
  const shown = JSON.stringify(value) ?? "undefined";
  if (schema.type !== undefined && typeOf(value) !== schema.type) return [`${place}: ${shown} is not ${schema.type}`];
  if (schema.const !== undefined && value !== schema.const) return [`${place}: ${shown} is not ${schema.const}`];
  if (schema.enum?.includes(String(value)) === false) return [`${place}: ${shown} is not of ${schema.enum.join(", ")}`];
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(String(value))) {
    return [`${place}: ${shown} does not match ${schema.pattern}`];
  }
  if (schema.items !== undefined && Array.isArray(value)) {
    const { items } = schema;
    return value.flatMap((item, index) => faultsAt(document, items, item, `${place}[${index}]`));
  }
  return schema.properties === undefined ? [] : memberFaults(document, schema, value, place);
}

function memberFaults(document: SchemaDocument, schema: Schema, value: unknown, place: string): readonly string[] {
  const members = new Map(Object.entries(Object(value)));
  const missing = (schema.required ?? []).filter((name) => !members.has(name)).map((name) => `${place}: no ${name}`);
  return [
    ...missing,
    ...[...members].flatMap(([name, member]) => {
      const known = schema.properties !== undefined && Object.hasOwn(schema.properties, name)
        ? schema.properties[name]
        : schema.additionalProperties;
      return known === undefined
        ? [`${place}: ${name} is not described`]
        : faultsAt(document, known, member, `${place}.${name}`);
    }),
  ];
}

/** The faults of the alternative that comes nearest: the one with the fewest. */
function alternativeFaults(
  document: SchemaDocument,
  alternatives: readonly Schema[],
  value: unknown,
  place: string,
): readonly string[] {
  let best: readonly string[] | undefined;
  for (const alternative of alternatives) {
    const faults = faultsAt(document, alternative, value, place);
    if (faults.length === 0) return [];
    if (best === undefined || faults.length < best.length) best = faults;
  }
  return best ?? [`${place}: there is no alternative`];
}
