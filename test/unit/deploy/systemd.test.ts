import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultDrain, ENDS_WITHIN, problemsOf, secondsIn, unknownVariables } from './commands.ts';

const DEPLOY = path.resolve(import.meta.dirname, '../../../deploy');

const UNITS = {
  'watcher-worker@.service': path.join(DEPLOY, 'systemd/watcher-worker@.service'),
  'watcher-admin.service': path.join(DEPLOY, 'systemd/watcher-admin.service'),
  'watcher-drain.service': path.join(DEPLOY, 'terraform/watcher-drain.service'),
} as const;
type UnitName = keyof typeof UNITS;
const NAMES = Object.keys(UNITS) as readonly UnitName[];
const ROLES = [
  ['watcher-worker@.service', 'worker'],
  ['watcher-admin.service', 'admin'],
] as const;

/** Values by key; a key may stand there several times. */
const unitOf = async (name: UnitName): Promise<ReadonlyMap<string, readonly string[]>> => {
  const values = new Map<string, string[]>();
  for (const line of (await readFile(UNITS[name], 'utf8')).split('\n')) {
    const [, key, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined) values.set(key, [...(values.get(key) ?? []), value ?? '']);
  }
  return values;
};

const only = (unit: ReadonlyMap<string, readonly string[]>, key: string): string => {
  const values = unit.get(key) ?? [];
  expect(values, key).toHaveLength(1);
  return values[0] ?? '';
};

describe.each(NAMES)('deploy: %s', (name) => {
  it('is restarted for ever', async () => {
    const unit = await unitOf(name);
    expect(only(unit, 'Restart')).toMatch(/^(?:always|on-failure)$/);
    expect(only(unit, 'StartLimitIntervalSec')).toBe('0');
  });
});

describe.each(ROLES)('deploy: the command line of %s', (name, role) => {
  it('is one that watcher takes', async () => {
    const unit = await unitOf(name);
    const [program, ...args] = only(unit, 'ExecStart').split(' ');
    expect(program).toBe('/opt/watcher/node_modules/.bin/watcher');
    expect(args[0]).toBe(role);
    expect(problemsOf(args)).toEqual([]);
    const variables = (unit.get('Environment') ?? []).map((pair) => pair.split('=')[0] ?? '');
    expect(variables.length).toBeGreaterThan(0);
    expect(unknownVariables(variables)).toEqual([]);
  });

  it('has the time to drain', async () => {
    const unit = await unitOf(name);
    const seconds = secondsIn(only(unit, 'TimeoutStopSec'));
    expect(seconds).toBeGreaterThan(ENDS_WITHIN[role]);
    // Beyond twice of it a machine would only wait for what hangs.
    expect(seconds).toBeLessThanOrEqual(2 * ENDS_WITHIN[role]);
    expect(only(unit, 'KillSignal')).toBe('SIGTERM');
  });

  it('is told no drain that would take longer', async () => {
    const unit = await unitOf(name);
    expect(only(unit, 'ExecStart')).not.toContain('--drain');
    // Of the runs; handing back and delivering take less than five seconds more.
    if (role === 'worker') expect(defaultDrain() + 5).toBeLessThanOrEqual(ENDS_WITHIN.worker);
  });

  it('is shown each key as a credential, and no key in any other way', async () => {
    const unit = await unitOf(name);
    const loaded = (unit.get('LoadCredential') ?? []).map((pair) => pair.split(':')[0]);
    const used = (unit.get('Environment') ?? []).map((pair) => pair.split('=%d/')[1]);
    expect(used.sort()).toEqual(loaded.sort());
    expect(loaded).toContain('pool.key');
  });

  it('lets Node compile, and keeps what it has to write', async () => {
    const unit = await unitOf(name);
    expect(unit.has('MemoryDenyWriteExecute')).toBe(false);
    expect(only(unit, 'StateDirectory')).toMatch(/^watcher\//);
    expect(only(unit, 'ProtectSystem')).toBe('strict');
  });
});

it('deploy: no unit is left without a test', async () => {
  const found = await Promise.all(
    ['systemd', 'terraform'].map((folder) => readdir(path.join(DEPLOY, folder))),
  );
  const units = found.flat().filter((file) => file.endsWith('.service'));
  expect(units.sort()).toEqual([...NAMES].sort());
});
