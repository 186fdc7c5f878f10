import { describe, expect, it } from 'vitest';
import {
  diagnosticOf,
  hasErrors,
  RENDERERS,
  WHOLE_FILE,
} from '../../../src/shared/config/diagnostics.ts';

const place = { line: 3, column: 5 };
const problem = diagnosticOf('configs/a.yml', {
  code: 'E501',
  place,
  message: 'unknown key "timout"',
  hint: 'did you mean timeout?',
});
const odd = diagnosticOf('a,b:\n.yml', {
  code: 'W301',
  place: WHOLE_FILE,
  message: '100% \u202eodd\n',
});

describe('a problem', () => {
  it('is one line of text', () => {
    expect(RENDERERS.text(problem)).toBe(
      'configs/a.yml:3:5: error E501 unknown key "timout" (did you mean timeout?)',
    );
    expect(RENDERERS.text(odd)).toBe('a,b:\\u000a.yml: warning W301 100% \\u202eodd\\u000a');
  });

  it('is one line of JSON', () => {
    expect(JSON.parse(RENDERERS.json(problem))).toEqual(problem);
    expect(RENDERERS.json(odd)).not.toContain('\n');
  });

  it('is an annotation on GitHub, with what would end it escaped', () => {
    expect(RENDERERS.github(problem)).toBe(
      '::error file=configs/a.yml,line=3,col=5,title=E501::unknown key "timout" (did you mean timeout?)',
    );
    expect(RENDERERS.github(odd)).toBe(
      '::warning file=a%2Cb%3A%0A.yml,title=W301::100%25 \\u202eodd\\u000a',
    );
  });

  it('counts by its severity', () => {
    const advice = diagnosticOf('a.yml', { code: 'I201', place, message: 'a secret' });
    expect(hasErrors([problem])).toBe(true);
    expect(hasErrors([odd, advice])).toBe(false);
    expect(hasErrors([odd], true)).toBe(true);
    expect(hasErrors([advice], true)).toBe(false);
  });
});
