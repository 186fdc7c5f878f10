/**
 * The syntax of paths into JSON: `status`, `dep.db[0].status`, `$.dep['a b']`, `$..status`. We read it
 * ourselves, since jsonpath-plus takes garbage without a word, and its filters and scripts run code.
 */

/** A member's name or an index; a negative index counts from the end of an array. */
export type Key = string | number;
export type Step =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'union'; readonly keys: readonly Key[] }
  | { readonly kind: 'slice'; readonly text: string }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'descent' };

/** What is wrong with a path, in one line for whoever wrote it. */
export class PathError extends Error {
  override readonly name = 'PathError';
}

const MAX_LENGTH = 1024;
const NAME = /[\p{L}\p{N}_$-]+/uy;
/** Not what jsonpath-plus reads as its own, even in quotes: `*`, `$`, `0`, `1:2`, `a;b`. */
const PLAIN_NAME = /^(?=.*[\p{L}_])(?!-?\d*:)[\p{L}\p{N}_$ .:/-]+$/u;
const INDEX = /-?(?:0|[1-9]\d{0,8})(?=\s*[\],])/y;
const SLICE = /-?\d{0,9}:-?\d{0,9}(?::\d{0,9})?(?=\s*\])/y;
const QUOTED = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/y;

/** Reads a path from left to right; `at` is where it stands. */
class Scanner {
  readonly #path: string;
  #at = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get ended(): boolean {
    return this.#at >= this.#path.length;
  }

  take(text: string): boolean {
    if (!this.#path.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#path);
    if (match) this.#at += match[0].length;
    return match;
  }

  fail(expected: string): never {
    const rest = this.#path.slice(this.#at, this.#at + 20);
    throw new PathError(
      rest === '' ? `the path ends where ${expected} should be` : `"${rest}": expected ${expected}`,
    );
  }
}

/** `$` alone is the whole body: no steps. Throws PathError. */
export const parsePath = (path: string): readonly Step[] => {
  if (path.length > MAX_LENGTH) throw new PathError(`a path has at most ${MAX_LENGTH} characters`);
  refuseCode(path);
  const scanner = new Scanner(path);
  const steps: Step[] = [];
  if (!/^\$(?:[.[]|$)/.test(path)) steps.push(bareStart(scanner));
  else scanner.take('$');
  while (!scanner.ended) readStep(scanner, steps);
  refuseSteps(steps);
  return steps;
};

/** Outside of quotes, these only mean filters, scripts, parents and the like. */
const refuseCode = (path: string): void => {
  const bare = path.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"/g, '');
  if (/[?(]/.test(bare)) {
    throw new PathError('filters and scripts, ?(…) and (…), are not supported');
  }
  const operator = /[\^~@`]/.exec(bare)?.[0];
  if (operator) throw new PathError(`the operator "${operator}" is not supported`);
};

const refuseSteps = (steps: readonly Step[]): void => {
  if (steps.filter(({ kind }) => kind === 'descent').length > 1) {
    throw new PathError('more than one ".." would visit the body many times over');
  }
  const plain = steps.every(({ kind }) => kind === 'key');
  for (const name of steps.flatMap(keysOf)) {
    if (name === '__proto__') throw new PathError('"__proto__" is no name that can be read');
    if (typeof name === 'number' || plain || PLAIN_NAME.test(name)) continue;
    throw new PathError(
      `the name "${name}" cannot stand in a path with wildcards, slices, lists or ".."`,
    );
  }
};

const keysOf = (step: Step): readonly Key[] => {
  if (step.kind === 'key') return [step.key];
  return step.kind === 'union' ? step.keys : [];
};

const bareStart = (scanner: Scanner): Step => {
  const name = scanner.match(NAME);
  return name ? { kind: 'key', key: name[0] } : scanner.fail('a member name or $');
};

const readStep = (scanner: Scanner, steps: Step[]): void => {
  if (scanner.take('..')) {
    steps.push({ kind: 'descent' });
    steps.push(scanner.take('[') ? readBracket(scanner) : readDotted(scanner));
  } else if (scanner.take('.')) steps.push(readDotted(scanner));
  else if (scanner.take('[')) steps.push(readBracket(scanner));
  else scanner.fail('"." or "["');
};

const readDotted = (scanner: Scanner): Step => {
  if (scanner.take('*')) return { kind: 'wildcard' };
  const name = scanner.match(NAME);
  return name ? { kind: 'key', key: name[0] } : scanner.fail('a member name');
};

const readBracket = (scanner: Scanner): Step => {
  if (scanner.take('*]')) return { kind: 'wildcard' };
  const slice = scanner.match(SLICE);
  if (slice) return scanner.take(']') ? { kind: 'slice', text: slice[0] } : scanner.fail('"]"');
  const keys = [readKey(scanner)];
  while (scanner.take(',')) keys.push(readKey(scanner));
  if (!scanner.take(']')) scanner.fail('"]"');
  const [key] = keys;
  return keys.length === 1 && key !== undefined ? { kind: 'key', key } : { kind: 'union', keys };
};

const readKey = (scanner: Scanner): Key => {
  scanner.match(/\s+/y);
  const index = scanner.match(INDEX);
  const quoted = index ? null : scanner.match(QUOTED);
  scanner.match(/\s+/y);
  if (index) return Number(index[0]);
  if (quoted) return (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1');
  return scanner.fail('an index, a quoted name or *');
};
