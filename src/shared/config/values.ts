/**
 * Canonical document → **plain values**, by path to their places. Whatever YAML can say and a check
 * file must not is refused here: aliases (a few lines of them expand to gigabytes), merge keys, tags,
 * keys that hide something, deep nesting.
 */

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import type { JsonValue } from '../domain/check.ts';
import { type Complain, offsetOf } from './canonical.ts';
import { hasUnseen } from './diagnostics.ts';

export type Path = readonly PropertyKey[];

const MAX_DEPTH = 50;
const CORE_TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
);

export const plainValue = (node: unknown, complain: Complain, depth = 0): JsonValue => {
  if (node === null || node === undefined) return null;
  if (depth > MAX_DEPTH) {
    complain({ code: 'E404', offset: offsetOf(node), message: `more than ${MAX_DEPTH} levels` });
    return null;
  }
  refuseExtras(node as Node, complain);
  if (isScalar(node)) return scalarValue(node.value);
  if (isSeq(node)) return node.items.map((item) => plainValue(item, complain, depth + 1));
  return isMap(node) ? mapValue(node, complain, depth) : null;
};

const scalarValue = (value: unknown): JsonValue =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : null;

const mapValue = (map: YAMLMap, complain: Complain, depth: number): JsonValue => {
  const values: Record<string, JsonValue> = {};
  for (const pair of map.items) {
    const key = keyText(pair, complain);
    if (key === null) continue;
    if (Object.hasOwn(values, key))
      complain({ code: 'E403', offset: offsetOf(pair.key), message: `"${key}" is here twice` });
    const value = plainValue(pair.value, complain, depth + 1);
    // A key like any other, where an assignment would change the prototype.
    if (key === '__proto__') Object.defineProperty(values, key, { value, enumerable: true });
    else values[key] = value;
  }
  return values;
};

const keyText = ({ key }: Pair, complain: Complain): string | null => {
  const offset = offsetOf(key);
  if (isAlias(key)) refuseExtras(key, complain);
  else if (!isScalar(key)) complain({ code: 'E407', offset, message: 'a key must be plain text' });
  if (!isScalar(key)) return null;
  refuseExtras(key, complain);
  const text = textOf(key);
  if (text === '<<') {
    const hint = 'write the keys out, or put them into defaults.yml';
    complain({ code: 'E405', offset, message: 'merge keys (<<) are not supported', hint });
    return null;
  }
  if (text === '' || hasUnseen(text)) {
    complain({
      code: 'E407',
      offset,
      message:
        text === '' ? 'a key is empty' : `the key "${text}" has characters that cannot be seen`,
    });
  }
  return text;
};

const refuseExtras = (node: Node, complain: Complain): void => {
  const offset = offsetOf(node);
  if (isAlias(node) || (node as { anchor?: string }).anchor) {
    const what = isAlias(node) ? `alias *${node.source}` : `anchor &${node.anchor}`;
    const hint = 'write the value out, put it into defaults.yml, or quote it if it is text';
    complain({ code: 'E405', offset, message: `the ${what} is not supported`, hint });
  } else if (node.tag && !CORE_TAGS.has(node.tag)) {
    complain({ code: 'E406', offset, message: `the tag ${node.tag} is not supported` });
  }
};

/** Where values and keys stand, by path; as much of the path counts as there is. */
export class Places {
  readonly #root: unknown;
  /** Files have thousands of entries at the top, and each is looked for. */
  readonly #top: ReadonlyMap<string, Pair>;

  constructor(root: unknown) {
    this.#root = root;
    const pairs = isMap(root) ? root.items.toReversed() : [];
    this.#top = new Map(
      pairs.flatMap((pair) => (isScalar(pair.key) ? [[textOf(pair.key), pair]] : [])),
    );
  }

  ofValue(path: Path): number {
    return this.#walk(path).offset;
  }

  /** Of the key that a path ends in. */
  ofKey(path: Path): number {
    const { node, offset } = this.#walk(path.slice(0, -1));
    const pair = this.#pairAt(node, path.at(-1));
    return pair ? offsetOf(pair.key) : offset;
  }

  #walk(path: Path): { readonly node: unknown; readonly offset: number } {
    let node = this.#root;
    let offset = offsetOf(node);
    for (const step of path) {
      // What is not a list counts as a list of one.
      if (typeof step === 'number' && !isSeq(node)) continue;
      const pair = this.#pairAt(node, step);
      const next = isSeq(node) ? node.items[Number(step)] : pair?.value;
      if (next === undefined && !pair) break;
      node = next;
      offset = offsetOf(node) || offsetOf(pair?.key) || offset;
    }
    return { node, offset };
  }

  #pairAt(node: unknown, key: PropertyKey | undefined): Pair | undefined {
    if (node === this.#root) return this.#top.get(String(key));
    if (!isMap(node)) return undefined;
    return node.items.find((pair) => isScalar(pair.key) && textOf(pair.key) === key);
  }
}

/** A plain key is its text, whatever YAML takes it for: `404: …`, `on: …`. */
const textOf = ({ type, source, value }: Scalar): string =>
  String(type === 'PLAIN' ? (source ?? value) : value);
