/**
 * Text → **YAML documents**, with repairs for the few things that people write in check files and
 * YAML does not accept. Only lines that YAML itself complains about are touched, and a file is
 * repaired as a whole or not at all: a wrong repair is worse than a file that is ignored.
 */

import { type Document, type ParsedNode, parseAllDocuments, type YAMLError } from 'yaml';
import type { Place } from './diagnostics.ts';
import { type Repair, RepairableLines } from './repairable-lines.ts';

export interface Reading {
  readonly documents: readonly Document.Parsed<ParsedNode>[];
  readonly repairs: readonly Repair[];
  /** By the offset at which the value stood. */
  readonly heads: ReadonlyMap<number, string>;
  /** The first error that no repair removes; there are no documents then. */
  readonly error: { readonly place: Place; readonly message: string } | null;
  /** Where an offset of the documents' nodes is in the text as it was given. */
  placeOf(offset: number): Place;
}

/** Each pass parses the whole text again, so all errors of a pass are repaired at once. */
const MAX_PASSES = 20;

export const readYaml = (text: string): Reading => {
  const lines = new RepairableLines(text);
  let first: YAMLError | null = null;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const documents = parse(lines.text);
    const errors = documents.flatMap((document) => document.errors);
    if (errors.length === 0) return reading(lines, documents, null);
    first = errors[0] as YAMLError;
    if (!repairAll(lines, errors)) break;
  }
  return reading(lines, [], first);
};

const reading = (
  lines: RepairableLines,
  documents: Reading['documents'],
  error: YAMLError | null,
): Reading => ({
  documents,
  repairs: lines.repairs,
  heads: lines.heads(),
  error: error && { place: lines.placeOf(error.pos[0]), message: error.message },
  placeOf: (offset) => lines.placeOf(offset),
});

/** Own checks follow for tags, keys and aliases (values.ts), with places and in our words. */
const parse = (text: string): Document.Parsed<ParsedNode>[] => {
  const parsed = parseAllDocuments(text, {
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  return Array.isArray(parsed) ? parsed : [];
};

const repairAll = (lines: RepairableLines, errors: readonly YAMLError[]): boolean => {
  const damaged = new Set(errors.map((error) => lines.lineOf(error.pos[0])));
  let repaired = false;
  for (const line of damaged) {
    if (RULES.some((rule) => rule(lines, line))) repaired = true;
  }
  return repaired;
};

/** Tries one repair on a line; false when it does not fit, or was made there before. */
type Rule = (lines: RepairableLines, line: number) => boolean;

/** A word, quoted or not, that cannot be the start of a map, a list, a block or a tag. */
const HEAD = /^(?:[^\s{}[\]|>&*!%@`"',#]\S*|"[^"\\]*"|'[^']*')$/;
const HEAD_FIELDS: Readonly<Record<string, string>> = {
  post_service: 'service',
  post_endpoint: 'url',
};

const quoteCron: Rule = (lines, line) => {
  const { key, value } = lines.split(line);
  if (key !== 'cron_schedule' || value === '' || /^['"]/.test(value)) return false;
  return lines.quote(line, JSON.stringify(value), {
    code: 'W101',
    message: `quote the cron expression: cron_schedule: "${value}"`,
  });
};

const quotePlaceholder: Rule = (lines, line) => {
  const { value } = lines.split(line);
  if (!/\{[\w$.-]+\}/.test(value) || /^['"|>]/.test(value)) return false;
  return lines.quote(line, JSON.stringify(value), {
    code: 'W103',
    message: `quote the placeholder: "${value}"`,
  });
};

const nestHead: Rule = (lines, line) => {
  const { key, value } = lines.split(line);
  const field = HEAD_FIELDS[key];
  if (field === undefined || !HEAD.test(value) || !lines.isDeeperBelow(line)) return false;
  return lines.lift(line, `move the value of ${key} to a key of its own below it: ${field}`);
};

const nestHeadAbove: Rule = (lines, line) => {
  const above = lines.parentOf(line);
  return above !== null && nestHead(lines, above);
};

const RULES: readonly Rule[] = [quoteCron, quotePlaceholder, nestHead, nestHeadAbove];
