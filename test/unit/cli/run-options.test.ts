import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  addRunOptions,
  configDir,
  type RunFlags,
  targetsOf,
} from '../../../src/cli/run-options.ts';

const flagsOf = (...args: readonly string[]): RunFlags => {
  const command = addRunOptions(new Command().exitOverride().configureOutput({ writeErr() {} }));
  return command.parse(args, { from: 'user' }).opts<RunFlags>();
};

describe('what a command is to check', () => {
  it.each([
    [[], [], []],
    [['https://a.example/x'], ['https://a.example/x'], []],
    [['HTTP://a.example'], ['HTTP://a.example'], []],
    [['a.example/x', 'http://b'], ['http://b'], ['a.example/x']],
    [['a/x', 'a/x', 'http://b', 'http://b'], ['http://b'], ['a/x']],
    [['ftp://a'], [], ['ftp://a']],
  ])('%j: URLs %j, keys %j', (args, urls, keys) => {
    expect(targetsOf(args)).toEqual({ urls, keys });
  });
});

describe('the folder of the checks', () => {
  const both = { WATCHER_CONFIG: 'new', CONFIG_FILE_DIR: 'old' };

  it.each([
    [['--config', 'flag'], both, 'flag'],
    [[], both, 'new'],
    [[], { CONFIG_FILE_DIR: 'old' }, 'old'],
    [[], {}, undefined],
  ])('with %j and %j is %s', (args, env, dir) => {
    expect(configDir(flagsOf(...args), env)).toBe(dir);
  });
});

describe('a flag', () => {
  it('may be repeated where it says so', () => {
    const rules = ['a:1:b:2', 'c:3:d:4'];
    const flags = flagsOf('--connect-to', 'a:1:b:2', '--connect-to', 'c:3:d:4');
    expect(flags.connectTo).toEqual(rules);
    expect(flagsOf().connectTo).toEqual([]);
  });

  it.each(['0', '-1', '1.5', 'many', '1000000'])('--concurrency %s is refused', (value) => {
    expect(() => flagsOf('--concurrency', value)).toThrow(/whole number/);
  });

  it('--log-level takes the levels that there are', () => {
    expect(flagsOf('--log-level', 'debug').logLevel).toBe('debug');
    expect(() => flagsOf('--log-level', 'loud')).toThrow(/Allowed choices/);
  });
});
