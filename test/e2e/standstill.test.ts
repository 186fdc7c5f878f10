import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startProcess } from '../support/processes.ts';

const LIMIT_MS = 3_000;
const PROGRAM = path.join(import.meta.dirname, '../support/standstill.ts');

const start = async (mode: 'loop' | 'scheduler' | 'well') => {
  const child = startProcess([process.execPath, PROGRAM, mode, String(LIMIT_MS)]);
  for await (const line of child.lines) if (line === 'ready') break;
  return child;
};

const lastLine = (stderr: string) => JSON.parse(stderr.trim().split('\n').at(-1) ?? '');

describe.concurrent('a process that stands still', () => {
  it('is ended, with one line that says why, when its event loop does not turn', async () => {
    await using child = await start('loop');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(lastLine(child.stderr())).toMatchObject({
      level: 'error',
      msg: expect.stringContaining('its event loop has not turned for 3 s'),
    });
  });

  it('is ended when its loop turns and none of its checks starts', async () => {
    await using child = await start('scheduler');
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(lastLine(child.stderr()).msg).toContain('none is started');
  });

  it('is not ended for a pause, however long: nothing of it ran meanwhile', async () => {
    await using child = await start('well');
    await sleep(1_500);
    process.kill(child.pid, 'SIGSTOP');
    await sleep(3 * LIMIT_MS);
    process.kill(child.pid, 'SIGCONT');
    const ended = await Promise.race([child.exited, sleep(LIMIT_MS, 'lives')]);
    expect(ended).toBe('lives');
    expect(child.stderr()).toBe('');
  });
});
