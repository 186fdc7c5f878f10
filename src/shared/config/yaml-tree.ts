/** Text → **canonical document and its plain value**, the part that loading and formatting share. */

import type { Document } from 'yaml';
import type { JsonValue } from '../domain/check.ts';
import { type Complain, canonicalise } from './canonical.ts';
import type { Place, Problem } from './diagnostics.ts';
import { readYaml } from './repair.ts';
import { type Path, Places, plainValue } from './values.ts';

export interface YamlTree {
  /** Null when the text is not YAML, or has nothing but comments. */
  readonly document: Document.Parsed | null;
  readonly value: JsonValue;
  readonly problems: readonly Problem[];
  /** Where the value at a path stands, or its key; the nearest that there is of it. */
  placeOf(path: Path, atKey: boolean): Place;
}

const TOO_DEEP = 'nested too deeply to be read';
const TOP: Place = { line: 1, column: 1 };

export const readTree = (text: string): YamlTree => {
  try {
    return tree(text);
  } catch (error) {
    // The parser recurses: thousands of brackets end in a full stack.
    if (!(error instanceof RangeError)) throw error;
    return failed({ code: 'E404', place: TOP, message: TOO_DEEP });
  }
};

const tree = (text: string): YamlTree => {
  const reading = readYaml(text);
  if (reading.error) {
    const { place, message } = reading.error;
    if (/call stack/.test(message)) return failed({ code: 'E404', place: TOP, message: TOO_DEEP });
    return failed({ code: 'E401', place, message: `not YAML: ${message}`, hint: hintFor(message) });
  }
  const { placeOf } = reading;
  const problems: Problem[] = [...reading.repairs];
  const complain: Complain = ({ offset, ...problem }) => {
    problems.push({ ...problem, place: placeOf(offset) });
  };
  const document = canonicalise(reading, complain);
  const root = document?.contents;
  const places = new Places(root);
  return {
    document,
    value: root ? plainValue(root, onceEach(complain)) : null,
    problems,
    placeOf: (path, atKey) => placeOf(atKey ? places.ofKey(path) : places.ofValue(path)),
  };
};

/** An alias is told of once, however often it is used. */
const onceEach = (complain: Complain): Complain => {
  const told = new Set<string>();
  return (complaint) => {
    const isRepeated = complaint.code === 'E405' && told.has(complaint.message);
    told.add(complaint.message);
    if (!isRepeated) complain(complaint);
  };
};

const failed = (problem: Problem): YamlTree => ({
  document: null,
  value: null,
  problems: [problem],
  placeOf: () => TOP,
});

const hintFor = (message: string): string | undefined => {
  if (/tab/i.test(message)) return 'indent with spaces';
  return /alias/i.test(message) ? 'put quotes around text that starts with * or &' : undefined;
};
