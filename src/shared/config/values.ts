/**
 * Canonical document → **plain values**, by path to their places. Whatever YAML can say and a check
 * file must not is refused here: aliases (a few lines of them expand to gigabytes), merge keys, tags,
 * keys that hide something, deep nesting.
 */

import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import type { JsonValue } from '../domain/check.ts';
import { type Complain, offsetOf } from './canonical.ts';
import { hasUnseen } from './diagnostics.ts';

export type Path = readonly PropertyKey[];

const MAX_DEPTH = 50;
const CORE_TAG = 'tag:yaml.org,2002:';

export const valueOf = (node: unknown, complain: Complain, depth = 0): JsonValue => {
  if (node === null || node === undefined) return null;
  if (depth > MAX_DEPTH) {
    complain({ code: 'E404', offset: offsetOf(node), message: `more than ${MAX_DEPTH} levels` });
    return null;
  }
  refuseExtras(node as Node, complain);
  if (isScalar(node)) return scalarValue(node.value);
  if (isSeq(node)) return node.items.map((item) => valueOf(item, complain, depth + 1));
  return isMap(node) ? mapValue(node, complain, depth) : null;
};

const scalarValue = (value: unknown): JsonValue =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : null;

const mapValue = (map: YAMLMap, complain: Complain, depth: number): JsonValue => {
  // Without a prototype, so that `__proto__` is a key like any other.
  const values: Record<string, JsonValue> = Object.create(null);
  const seen = new Map<string, number>();
  for (const pair of map.items) {
    const key = keyText(pair, complain);
    if (key === null) continue;
    const offset = offsetOf(pair.key);
    if (seen.has(key)) complain({ code: 'E403', offset, message: `"${key}" is here twice` });
    seen.set(key, offset);
    values[key] = valueOf(pair.value, complain, depth + 1);
  }
  return values;
};

const keyText = ({ key }: Pair, complain: Complain): string | null => {
  const offset = offsetOf(key);
  if (isAlias(key)) refuseExtras(key, complain);
  else if (!isScalar(key)) complain({ code: 'E407', offset, message: 'a key must be plain text' });
  if (!isScalar(key)) return null;
  refuseExtras(key, complain);
  const text = key.type === 'PLAIN' ? String(key.source ?? key.value) : String(key.value);
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
  } else if (node.tag && !node.tag.startsWith(CORE_TAG)) {
    complain({ code: 'E406', offset, message: `the tag ${node.tag} is not supported` });
  }
};

/** Where the value at a path is, or as much of the path as there is. */
export const placeOfValue = (root: unknown, path: Path): number => {
  let node = root;
  let offset = offsetOf(root);
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && keyString(key) === step);
      if (!pair) return offset;
      offset = offsetOf(pair.value ?? pair.key) || offsetOf(pair.key) || offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = offsetOf(node) || offset;
    } else {
      return offset;
    }
  }
  return offset;
};

/** Where the key that a path ends in stands. */
export const placeOfKey = (root: unknown, path: Path): number => {
  const parent = nodeAt(root, path.slice(0, -1));
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && keyString(key) === path.at(-1))
    : undefined;
  return pair ? offsetOf(pair.key) : placeOfValue(root, path);
};

const keyString = (key: { source?: string; value: unknown; type?: string }): string =>
  key.type === 'PLAIN' ? String(key.source ?? key.value) : String(key.value);

const nodeAt = (root: unknown, path: Path): unknown => {
  let node = root;
  for (const step of path) {
    if (isMap(node))
      node = node.items.find(({ key }) => isScalar(key) && keyString(key) === step)?.value;
    else node = isSeq(node) ? node.items[Number(step)] : undefined;
  }
  return node;
};
