import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { register } from '../../../src/cli/run.ts';
import { addRunOptions, settingTexts, targetsOf } from '../../../src/cli/run-options.ts';
import type { SettingTexts } from '../../../src/shared/config/settings-table.ts';

const textsOf = (...args: readonly string[]): SettingTexts => {
  const command = addRunOptions(new Command(), { more: ['listen_tls.cert', 'run_at_start'] });
  return settingTexts(command.parse(args, { from: 'user' }).opts());
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

describe('the flags for settings', () => {
  it('say nothing where they do not stand, so that other sources count', () => {
    expect(textsOf()).toEqual({});
  });

  it('say what stands there, unjudged', () => {
    const args = ['--config', 'a', '--concurrency', '0', '--dns', 'own', '--log-level', 'loud'];
    const nested = ['--listen-tls-cert', 'b.pem', '--run-at-start', 'false'];
    expect(textsOf(...args, ...nested)).toEqual({
      config: 'a',
      concurrency: '0',
      dns: 'own',
      log_level: 'loud',
      'listen_tls.cert': 'b.pem',
      run_at_start: 'false',
    });
  });

  it('may be repeated where that makes a list', () => {
    const rules = ['a:1:b:2', 'c:3:d:4'];
    const texts = textsOf('--connect-to', 'a:1:b:2', '--connect-to', 'c:3:d:4');
    expect(texts).toEqual({ connect_to: rules });
  });

  it('of run alone say where state is kept', () => {
    const program = new Command();
    register(program);
    const help = program.commands[0]?.helpInformation() ?? '';
    expect(help).toMatch(/--state <dir> [^(]*\(default: \.\/\.watcher\)/);
    expect(addRunOptions(new Command()).helpInformation()).not.toContain('--state');
  });

  it('want a value each', () => {
    const program = new Command();
    register(program);
    const options = program.commands.flatMap((command) => command.options);
    expect(options.filter(({ optional }) => optional)).toEqual([]);
  });
});
