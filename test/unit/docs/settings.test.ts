import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { settingsFileSchema, VALUES } from '../../../src/shared/config/settings-schema.ts';
import {
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type Setting,
  variableOf,
} from '../../../src/shared/config/settings-table.ts';
import { SINK_KINDS, SINK_SCHEMAS } from '../../../src/shared/config/sinks-schema.ts';
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

interface KeySchema {
  readonly description?: string;
  readonly default?: unknown;
}

/** As it would be written in the file. */
const written = (value: unknown): string =>
  typeof value === 'object'
    ? JSON.stringify(value)
        .replaceAll(/"(\w+)":/g, '$1: ')
        .replaceAll(',', ', ')
    : String(value);

describe('the sinks of docs/settings.md', () => {
  it('have every key', async () => {
    const rows = SINK_KINDS.flatMap((kind) => {
      const { properties, required = [] } = z.toJSONSchema(SINK_SCHEMAS[kind], {
        io: 'input',
        unrepresentable: 'any',
      });
      const keys = Object.entries(properties ?? {}) as [string, KeySchema][];
      return keys
        .filter(([key]) => key !== 'kind')
        .map(([key, { description = '', default: value }]) => {
          const usual = value === undefined ? '' : `\`${written(value)}\``;
          const need = required.includes(key) ? 'must be given' : usual;
          return [kind, `\`${key}\``, need, description];
        });
    });
    const titles = ['kind', 'key', 'default', 'what it is'];
    await expectSection('docs/settings.md', 'sinks', markdownTable(titles, rows));
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
    expect(Object.keys(settingsFileSchema.shape)).toEqual([...keys, 'sinks']);
  });
});
