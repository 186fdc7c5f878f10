import { describe, expect, it } from 'vitest';
import {
  adminGreeting,
  greeting,
  problemsLine,
  workerGreeting,
} from '../../../src/cli/greeting.ts';
import type { Catalogue } from '../../../src/shared/domain/catalogue.ts';
import type { Diagnostic, Severity } from '../../../src/shared/domain/diagnostic.ts';
import { aCheck } from '../../support/builders.ts';

const problem = (file: string, severity: Severity): Diagnostic => ({
  file,
  severity,
  code: 'E501',
  line: 1,
  column: 1,
  message: 'unknown key',
});

const aCatalogue = (parts: Partial<Catalogue> = {}): Catalogue => ({
  definitions: [],
  selves: [],
  files: 0,
  diagnostics: [],
  digest: '',
  ...parts,
});

const greet = (parts: Partial<Catalogue>, isDemo = false): readonly string[] => {
  const catalogue = aCatalogue(parts);
  const url = 'http://127.0.0.1:9464';
  return greeting({ version: '1.2.3', catalogue, url, dir: 'checks', isDemo }).split('\n');
};

describe('the greeting of a run', () => {
  it('says what runs and where it answers, and no more when all is well', () => {
    expect(greet({ definitions: [aCheck('a.example/x')], files: 1 })).toEqual([
      'watcher 1.2.3 runs 1 check and answers at http://127.0.0.1:9464',
      '',
      '',
    ]);
  });

  it.each([
    ['has no *.yml file yet', 0],
    ['has no check that can run yet', 2],
  ])('tells of a folder that %s', (text, files) => {
    expect(greet({ files })[1]).toContain(`checks ${text}; save one and it runs`);
  });

  it('says that a demo is one', () => {
    expect(greet({ definitions: [aCheck('a.example/x')] }, true).join('\n')).toMatch(
      /This is a demo.*checks/s,
    );
  });
});

describe('the line about problems', () => {
  it.each<[string | null, readonly Diagnostic[]]>([
    [null, []],
    [null, [problem('a', 'info')]],
    ['1 file with errors', [problem('a', 'error'), problem('a', 'error')]],
    ['1 warning', [problem('a', 'warning')]],
    [
      '2 files with errors, 1 warning',
      [problem('a', 'error'), problem('b', 'error'), problem('b', 'warning')],
    ],
  ])('is %j for %j', (text, diagnostics) => {
    const line = problemsLine(aCatalogue({ diagnostics }), 'checks');
    expect(line).toBe(text === null ? null : `${text}; to see them:  watcher validate checks`);
  });
});

describe('the greeting of a part of a pool', () => {
  const url = 'http://127.0.0.1:9464';

  it('says what an admin has, what is wrong with it, and where it answers', () => {
    const catalogue = aCatalogue({
      definitions: [aCheck('a.example/x')],
      diagnostics: [problem('a.yml', 'error')],
    });
    expect(adminGreeting({ version: '1.2.3', catalogue, url, dir: 'checks' }).split('\n')).toEqual([
      'watcher 1.2.3 has 1 check for its pool and answers at http://127.0.0.1:9464',
      '1 file with errors; to see them:  watcher validate checks',
      '',
      '',
    ]);
  });

  it('says where a worker answers', () => {
    expect(workerGreeting({ version: '1.2.3', url })).toBe(
      'watcher 1.2.3 works for its pool and answers at http://127.0.0.1:9464\n\n',
    );
  });
});
