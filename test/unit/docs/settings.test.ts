import { describe, expect, it } from 'vitest';
import { settingsFileSchema, VALUES } from '../../../src/shared/config/settings-schema.ts';
import {
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type Setting,
  variableOf,
} from '../../../src/shared/config/settings-table.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

describe('docs/settings.md', () => {
  it('lists every setting', async () => {
    const code = (text: unknown): string => `\`${text}\``;
    const rows = SETTING_NAMES.map((name) => {
      const { about, takes, default: value, secret }: Setting = SETTINGS[name];
      const flag = secret ? 'none: others can read command lines' : code(flagOf(name));
      const usual = value === null ? '' : code(value);
      return [code(name), flag, code(variableOf(name)), code(takes), usual, about];
    });
    const titles = ['setting', 'flag', 'variable', 'form or unit', 'default', 'what it is'];
    await expectSection('docs/settings.md', 'settings', markdownTable(titles, rows));
  });
});

describe('the table of settings', () => {
  it.each(SETTING_NAMES.filter((name) => SETTINGS[name].default !== null))(
    'has a default for %s that its grammar accepts',
    (name) => {
      expect(VALUES[name].safeParse(SETTINGS[name].default)).toMatchObject({ success: true });
    },
  );

  it('is what the settings file may hold', () => {
    const keys = [...new Set(SETTING_NAMES.map((name) => name.split('.')[0]))];
    expect(Object.keys(settingsFileSchema.shape)).toEqual(keys);
  });
});
