import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { readCheckFile } from '../../../src/shared/config/check-file.ts';
import { CODES } from '../../../src/shared/config/diagnostics.ts';
import { jsonSchema } from '../../../src/shared/config/json-schema.ts';
import { expectSection, markdownTable } from '../../support/generated-section.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

const root = jsonSchema() as Schema & { readonly definitions: Readonly<Record<string, Schema>> };

const WORDS: Readonly<Record<string, string>> = {
  'string,number,boolean': 'text',
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
  object: 'map',
};

/** What a key takes, in the words of people. */
const kind = (schema: Schema): string => {
  const named = /^#\/definitions\/(?!__)(\w+)$/.exec(schema.$ref ?? '')?.[1];
  if (named) return named;
  if (schema.$ref) return 'anything';
  if (schema.allOf?.[0]) return kind(schema.allOf[0]);
  if (schema.enum) return schema.enum.join(', ');
  if (schema.anyOf) return choiceOf(schema.anyOf);
  if (schema.pattern?.includes('(ms|s|m|h)')) return 'duration';
  if (schema.type === 'array') return `list of ${kind(schema.items ?? {})}`;
  return WORDS[String(schema.type)] ?? String(schema.type ?? 'anything');
};

const choiceOf = (options: readonly Schema[]): string => {
  const [list, ...more] = options;
  if (list?.type === 'array') return `${more.map(kind).join(' or ')}, or a list`;
  return [...new Set(options.map(kind))].join(' or ');
};

/** One row a key; the keys of a map that has no name of its own follow it, with a dot. */
const rows = (schema: Schema, prefix = ''): readonly (readonly string[])[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, value]) => [
    [
      `\`${prefix}${key}\``,
      kind(value),
      value.default === undefined ? '' : `\`${value.default}\``,
      described(value),
    ],
    ...rows(value, `${prefix}${key}.`),
  ]);

const described = (schema: Schema): string =>
  schema.description ?? definition(schema.allOf?.[0]?.$ref)?.description ?? '';

const definition = (ref: string | undefined): Schema | undefined =>
  root.definitions[ref?.split('/').at(-1) ?? ''];

describe('the documentation of check files', () => {
  it.each(['check', 'test', 'post_endpoint', 'post_service', 'self'])(
    'lists every key of %s',
    async (name) => {
      const table = markdownTable(
        ['key', 'value', 'default', 'meaning'],
        rows(root.definitions[name] ?? {}),
      );
      await expectSection('configs/README.md', name, table);
    },
  );

  it('shows nothing that does not load', async () => {
    const page = await readFile('docs/configuration.md', 'utf8');
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
    expect(examples.length).toBeGreaterThan(1);
    for (const text of examples) {
      const name = text.startsWith('# defaults.yml') ? 'defaults.yml' : 'shop.yml';
      const file = readCheckFile({ file: name, name, bytes: Buffer.from(text) }, {});
      expect(file.diagnostics).toEqual([]);
    }
  });

  it('lists every code', async () => {
    const codes = Object.entries(CODES).map(([code, meaning]) => [code, meaning]);
    await expectSection(
      'docs/configuration.md',
      'codes',
      markdownTable(['code', 'meaning'], codes),
    );
  });
});

describe('the JSON Schema', () => {
  const maps = Object.entries(root.definitions).filter(([, { properties }]) => properties);

  it('is closed and describes every key', () => {
    expect(maps.map(([name]) => name)).toEqual(
      expect.arrayContaining(['check', 'self', 'test', 'post_endpoint', 'post_service']),
    );
    for (const [name, schema] of maps) {
      expect(schema.additionalProperties, name).toBe(false);
      for (const [key, value] of Object.entries(schema.properties ?? {}))
        expect(described(value), `${name}.${key}`).not.toBe('');
    }
  });

  it('leaves all but the indispensable out of what is required', () => {
    const required = Object.fromEntries(maps.map(([name, schema]) => [name, schema.required]));
    expect(required).toMatchObject({ check: undefined, self: undefined, test: undefined });
  });
});
