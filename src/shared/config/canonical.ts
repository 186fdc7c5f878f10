/**
 * Documents → **one document in canonical form**: the spellings that check files may use for the
 * same thing become one, in the tree itself, so that loading and formatting share a single path.
 */

import {
  type Document,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  Pair,
  type ParsedNode,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import { joined, precede } from './comments.ts';
import type { Code } from './diagnostics.ts';
import type { Reading } from './repair.ts';

export interface Complaint {
  readonly code: Code;
  /** Offset in the text that was parsed. */
  readonly offset: number;
  readonly message: string;
  readonly hint?: string;
}

export type Complain = (complaint: Complaint) => void;

/** The map of all documents' entries; null when there is none, or when a document is not a map. */
export const canonicalise = (
  { documents, heads }: Pick<Reading, 'documents' | 'heads'>,
  complain: Complain,
): Document.Parsed<ParsedNode> | null => {
  const filled = documents.filter(({ contents }) => !isNothing(contents));
  const [first, ...rest] = filled;
  if (!first) return null;
  for (const { contents } of filled) {
    if (isMap(contents)) continue;
    const message = `the top level is ${kindOf(contents)}, not a map from what is checked to how`;
    complain({ code: 'E402', offset: offsetOf(contents), message });
    return null;
  }
  const map = first.contents as YAMLMap.Parsed;
  for (const document of rest) {
    const { items, commentBefore } = document.contents as YAMLMap.Parsed;
    const [pair] = items;
    if (!pair) continue;
    precede(pair.key, commentBefore, document.commentBefore);
    pair.key.spaceBefore = true;
    first.comment = joined(first.comment, document.comment);
    map.items.push(...items);
  }
  const form = new CanonicalForm(heads, complain);
  form.topLevel(map);
  form.refuseLostHeads();
  return first;
};

const isNothing = (node: unknown): boolean => !node || (isScalar(node) && node.value === null);

export const offsetOf = (node: unknown): number => (node as Node | null)?.range?.[0] ?? 0;

/** For messages: "a list", "text", "a number" … */
const kindOf = (node: unknown): string => {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  const value = isScalar(node) ? node.value : node;
  if (value === null || value === undefined) return 'empty';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
};

const keyOf = ({ key }: Pair): string => (isScalar(key) ? String(key.source ?? key.value) : '');

const HEAD_FIELDS: Readonly<Record<string, string>> = {
  post_service: 'service',
  post_endpoint: 'url',
};

class CanonicalForm {
  /** Those that have not found their map yet. */
  readonly #heads: Map<number, string>;
  readonly #complain: Complain;

  constructor(heads: ReadonlyMap<number, string>, complain: Complain) {
    this.#heads = new Map(heads);
    this.#complain = complain;
  }

  topLevel(map: YAMLMap): void {
    this.#joinSelves(map);
    for (const { value } of map.items) {
      if (isMap(value)) this.#block(value);
      if (isSeq(value)) for (const item of value.items) if (isMap(item)) this.#block(item);
    }
    map.items = map.items.filter(isPair);
    this.#values(map);
  }

  /** A value that was taken out of its line must not be lost without a word. */
  refuseLostHeads(): void {
    for (const offset of this.#heads.keys()) {
      const message = 'what stands below this value is not a map that it could belong to';
      this.#complain({ code: 'E401', offset, message });
    }
  }

  /** Several `self` entries become one with a list. */
  #joinSelves(map: YAMLMap): void {
    const [first, ...more] = map.items.filter((pair) => keyOf(pair) === 'self');
    if (!first || more.length === 0) return;
    const list = new YAMLSeq();
    for (const { key, value } of [first, ...more]) {
      const items = isSeq(value) ? value.items : [value];
      if (isSeq(value)) precede(items[0], value.commentBefore);
      if (key !== first.key) precede(items[0], (key as Scalar).commentBefore);
      list.items.push(...items);
    }
    list.range = (first.value as Node | null)?.range ?? null;
    first.value = list;
    for (const { key } of more) {
      const message = 'several self blocks: write one, with a list';
      this.#complain({ code: 'W104', offset: offsetOf(key), message });
    }
    map.items = map.items.filter((pair) => !more.includes(pair));
  }

  /** A check, a `self` block or the defaults. */
  #block(map: YAMLMap): void {
    for (const pair of map.items) {
      const field = HEAD_FIELDS[keyOf(pair)];
      if (field !== undefined) this.#head(pair, field);
    }
    const service = map.get('post_service', true);
    const endpoint = map.get('post_endpoint', true);
    if (isMap(service)) {
      this.#adoptSource(map, service);
      this.#mergeList(service, 'data_details_json');
    }
    const info = isMap(endpoint) ? endpoint.get('post_json_info', true) : null;
    if (isMap(info)) this.#tags(info);
  }

  /** `post_endpoint: URL` is short for a map with a url; so is a lifted value with keys below. */
  #head(pair: Pair, field: string): void {
    const { value } = pair;
    if (isScalar(value) && typeof value.value === 'string') {
      const map = new YAMLMap();
      map.range = value.range ?? null;
      map.items.push(new Pair(new Scalar(field), value));
      pair.value = map;
    } else if (isMap(value)) {
      const key = pair.key as Scalar;
      const [, end = 0] = key.range ?? [];
      const head = this.#headAfter(end, offsetOf(value));
      if (head) value.items.unshift(new Pair(new Scalar(field), head));
    }
  }

  #headAfter(from: number, to: number): Scalar | null {
    for (const [offset, text] of this.#heads) {
      if (offset < from || offset >= to) continue;
      this.#heads.delete(offset);
      const scalar = new Scalar(text);
      scalar.range = [offset, offset + text.length, offset + text.length];
      return scalar;
    }
    return null;
  }

  /** `data_source` beside `post_service` means the same as inside it. */
  #adoptSource(map: YAMLMap, service: YAMLMap): void {
    const outer = map.items.find((pair) => keyOf(pair) === 'data_source');
    if (!outer) return;
    map.items.splice(map.items.indexOf(outer), 1);
    if (!service.has('data_source')) service.items.push(outer);
  }

  /** A list of one-key maps means one map, in order. */
  #mergeList(map: YAMLMap, key: string): void {
    const pair = map.items.find((item) => keyOf(item) === key);
    if (!pair || !isSeq(pair.value) || !pair.value.items.every(isMap)) return;
    const merged = new YAMLMap();
    merged.range = pair.value.range ?? null;
    precede(merged, pair.value.commentBefore);
    for (const entry of (pair.value.items as YAMLMap[]).flatMap(entriesOf)) {
      const name = keyOf(entry);
      const twice = merged.items.findIndex((item) => keyOf(item) === name);
      if (twice >= 0) {
        const message = `${key} has "${name}" twice; the last one counts`;
        this.#complain({ code: 'W105', offset: offsetOf(entry.key), message });
        merged.items.splice(twice, 1);
      }
      merged.items.push(entry);
    }
    pair.value = merged;
  }

  /** Tags are texts: `- status: ok` is "status:ok". */
  #tags(info: YAMLMap): void {
    const tags = info.get('tags', true);
    if (!isSeq(tags)) return;
    tags.items = tags.items.map((item) => {
      const [pair, ...more] = isMap(item) ? item.items : [];
      if (!pair || more.length > 0) return item;
      const value = this.#placeholder(pair.value) ?? pair.value;
      if (!isScalar(value)) return item;
      const text = new Scalar(`${keyOf(pair)}:${value.source ?? value.value ?? ''}`);
      text.range = (item as YAMLMap).range ?? null;
      text.comment = value.comment ?? null;
      precede(text, (item as YAMLMap).commentBefore, (pair.key as Scalar).commentBefore);
      return text;
    });
  }

  /** Every value below a node: placeholders that YAML took for maps, numbers that are texts. */
  #values(node: YAMLMap | YAMLSeq): void {
    if (isMap(node)) {
      for (const pair of node.items) pair.value = this.#value(pair.value);
    } else {
      node.items = node.items.map((item) => this.#value(item));
    }
  }

  #value(node: unknown): unknown {
    if (isScalar(node)) return asWritten(node);
    const placeholder = this.#placeholder(node);
    if (placeholder) return placeholder;
    if (isMap(node) || isSeq(node)) this.#values(node);
    return node;
  }

  /** `{status}` is a flow map with one key and no value. */
  #placeholder(node: unknown): Scalar | null {
    if (!isMap(node) || !node.flow || node.items.length !== 1) return null;
    const [pair] = node.items;
    if (!pair || pair.value !== null || !isScalar(pair.key)) return null;
    const text = `{${keyOf(pair)}}`;
    this.#complain({
      code: 'W103',
      offset: offsetOf(node),
      message: `quote the placeholder: "${text}"`,
    });
    const scalar = new Scalar(text);
    scalar.type = Scalar.QUOTE_DOUBLE;
    scalar.source = text;
    scalar.range = node.range ?? null;
    scalar.comment = node.comment ?? null;
    precede(scalar, node.commentBefore);
    return scalar;
  }
}

const entriesOf = ({ items, commentBefore }: YAMLMap): readonly Pair[] => {
  precede(items[0]?.key, commentBefore);
  return items;
};

/**
 * A plain scalar is a number or a boolean only when that reads back as it was written. `0777`, `1.10`,
 * `1e400` and keys of twenty digits would lose something: they are texts.
 */
const asWritten = (scalar: Scalar): Scalar => {
  const { value, source } = scalar;
  const isLossy = typeof value === 'number' || typeof value === 'boolean';
  if (isLossy && source !== undefined && String(value) !== source) {
    scalar.value = source;
    scalar.type = Scalar.QUOTE_DOUBLE;
  }
  return scalar;
};
