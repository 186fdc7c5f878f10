// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested

import { describe, expect, it } from 'vitest';
import {
  hasReference,
  referenceProblem,
  secretReferences,
} from '../../../src/shared/secrets/reference.ts';

describe('a reference to a secret', () => {
  it.each([
    ['${env:TOKEN}', [{ kind: 'env', name: 'TOKEN' }]],
    ['Bearer ${file:/run/secrets/a b}!', [{ kind: 'file', name: '/run/secrets/a b' }]],
    [
      '${env:A}:${env:B}',
      [
        { kind: 'env', name: 'A' },
        { kind: 'env', name: 'B' },
      ],
    ],
    ['plain {status} $5', []],
  ])('is found in %s', (text, references) => {
    expect(secretReferences(text)).toEqual(references);
    expect(hasReference(text)).toBe(references.length > 0);
    expect(referenceProblem(text)).toBeNull();
  });

  it.each(['${vault:x}', '${env:}', '${env:1A}', '${file:}', '${}', '${env:A'])(
    'is refused in %s',
    (text) => {
      expect(hasReference(text)).toBe(false);
      expect(referenceProblem(text)).not.toBeNull();
    },
  );
});
