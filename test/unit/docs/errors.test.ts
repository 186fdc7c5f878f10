import { describe, it } from 'vitest';
import { REASONS } from '../../../src/shared/domain/reasons.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

describe('docs/errors.md', () => {
  it('lists every reason', async () => {
    const rows = Object.entries(REASONS).map(([code, [fault, isNetwork, meaning]]) => [
      `\`${code}\``,
      isNetwork ? `${fault}, network` : fault,
      meaning,
    ]);
    await expectSection(
      'docs/errors.md',
      'reasons',
      markdownTable(['reason', 'fault', 'meaning'], rows),
    );
  });
});
