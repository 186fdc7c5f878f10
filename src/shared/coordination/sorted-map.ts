/**
 * A map in key order, for the memory store: prefix reads and single puts are both cheap at 100,000
 * keys. Keys lie in small sorted buckets, so that a put moves hundreds of pointers, not all of them.
 */

/** A bucket is cut in two past this; a quarter to four times as much measures the same. */
const BUCKET = 512;

/** The first index for which `isBelow` is false, in a list where it is true up to some index. */
const lowerBound = (length: number, isBelow: (index: number) => boolean): number => {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBelow(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
};

export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  /** Never empty buckets, but for the first one of an empty map. */
  readonly #buckets: string[][] = [[]];

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    const known = this.#values.has(key);
    this.#values.set(key, value);
    if (known) return;
    const at = this.#bucketOf(key);
    const bucket = this.#buckets[at] ?? [];
    bucket.splice(indexIn(bucket, key), 0, key);
    if (bucket.length > BUCKET) this.#buckets.splice(at + 1, 0, bucket.splice(BUCKET >>> 1));
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false;
    const at = this.#bucketOf(key);
    const bucket = this.#buckets[at] ?? [];
    bucket.splice(indexIn(bucket, key), 1);
    if (bucket.length === 0 && this.#buckets.length > 1) this.#buckets.splice(at, 1);
    return true;
  }

  /** Values whose key starts with the prefix, in key order. */
  withPrefix(prefix: string): V[] {
    const found: V[] = [];
    for (let at = this.#bucketOf(prefix); at < this.#buckets.length; at += 1) {
      const bucket = this.#buckets[at] ?? [];
      for (let i = indexIn(bucket, prefix); i < bucket.length; i += 1) {
        const key = bucket[i] ?? '';
        if (!key.startsWith(prefix)) return found;
        found.push(this.#values.get(key) as V);
      }
    }
    return found;
  }

  /** The only bucket that may hold the key: the first whose last key is not below it. */
  #bucketOf(key: string): number {
    const at = lowerBound(this.#buckets.length, (i) => (this.#buckets[i]?.at(-1) ?? '') < key);
    return Math.min(at, this.#buckets.length - 1);
  }
}

const indexIn = (bucket: readonly string[], key: string): number =>
  lowerBound(bucket.length, (i) => (bucket[i] ?? '') < key);
