/** The `jsonl` sink: delivery → **every result as a JSON line** → file. */

import type { JsonlSink } from '../../domain/sink-settings.ts';
import type { Call, Destination, DestinationContext, Item, Outcome } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { jsonLine } from './json-line.ts';
import { RotatingFile } from './rotating-file.ts';

/** One write; a rotated file is this much smaller than it may be at worst. */
const MAX_CALL_BYTES = 256 * 1024;
/** Of lines as short as they come. */
const MAX_ITEMS = 1_000;

/** The context is the other destinations': a file needs neither time nor secrets. */
export const jsonFileDestination = (
  sink: JsonlSink,
  _context: DestinationContext,
): Destination<Buffer> => {
  const { path, maxBytes } = sink;
  const file = new RotatingFile(sink);
  const maxCallBytes = Math.min(MAX_CALL_BYTES, maxBytes);
  const attempt = async (work: () => Promise<void>): Promise<Outcome> => {
    try {
      await work();
      return { kind: 'delivered' };
    } catch (error) {
      return { kind: 'retry', reason: `${path}: ${wordsFor(error)}` };
    }
  };
  return {
    id: destinationId('jsonl', path),
    label: `jsonl ${path}`,
    windowMs: 1_000,
    maxAgeMs: 14 * 86_400_000,
    concurrency: 1,
    maxItems: MAX_ITEMS,
    maxCallBytes,
    wants: ({ kind }) => kind === 'result',
    encode: (items) => callsOf(items, maxCallBytes),
    send: ({ payload }, signal) =>
      attempt(() => {
        signal.throwIfAborted();
        return file.append(payload);
      }),
    verify: async () => {
      const outcome = await attempt(() => file.check());
      return outcome.kind === 'retry'
        ? { state: 'failed', message: `${outcome.reason}: nothing can be written there` }
        : { state: 'ok', message: `${path} can be written` };
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
};

const callsOf = (items: readonly Item[], maxBytes: number): readonly Call<Buffer>[] => {
  const calls: Call<Buffer>[] = [];
  let text = '';
  let bytes = 0;
  let carried: Item[] = [];
  const end = (): void => {
    if (carried.length === 0) return;
    calls.push({ items: carried, bytes, payload: Buffer.from(text) });
    text = '';
    bytes = 0;
    carried = [];
  };
  for (const item of items) {
    if (item.emission.kind !== 'result') continue;
    const line = jsonLine(item.emission.result);
    const size = Buffer.byteLength(line);
    if (size > maxBytes) continue;
    if (bytes + size > maxBytes || carried.length === MAX_ITEMS) end();
    text += line;
    bytes += size;
    carried.push(item);
  }
  end();
  return calls;
};

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file is as large as this process may make it',
  EROFS: 'the file system is read-only',
  EACCES: 'no permission to write it',
  EPERM: 'no permission to write it',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is a file',
  EISDIR: 'it is a folder',
  ENOTREG: 'it is not a regular file',
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
  EIO: 'the disk fails',
};

const wordsFor = (error: unknown): string => {
  if (!(error instanceof Error)) return 'it cannot be written';
  if (error.name === 'AbortError') return 'watcher is ending';
  const code = 'code' in error ? String(error.code) : error.name;
  return WORDS[code] ?? `it cannot be written (${code})`;
};
