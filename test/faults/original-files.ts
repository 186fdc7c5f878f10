/** The two original files as they stand, for several ticks: the test of that name, for longer. */

import { mkdtempDisposable, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startProcess } from '../support/processes.ts';
import type { Proof, Row, Size } from './row.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const VITEST = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
const FILE = 'test/e2e/original-files.test.ts';
const TICKS = { full: 5, small: 1 } as const satisfies Record<Size, number>;

export const originalFiles: Row = {
  name: 'original-files',
  title:
    'The original files post byte for byte what they configure, tick after tick, and show no key',
  covers: ['src/shared/sinks', 'src/shared/rules', 'src/shared/secrets'],
  prove: async (size): Promise<Proof> => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'original-counts-'));
    const file = path.join(folder.path, 'counts.json');
    const ticks = TICKS[size];
    const env = { ORIGINAL_TICKS: String(ticks), ORIGINAL_COUNTS: file };
    const command = [process.execPath, VITEST, 'run', '--project', 'e2e', FILE];
    await using child = startProcess(command, { env, cwd: ROOT, stdout: 'ignore' });
    const { code } = await child.exited;
    const counts = code === 0 ? JSON.parse(await readFile(file, 'utf8')) : {};
    return { counts: { ticks, ...counts }, holds: code === 0 };
  },
};
