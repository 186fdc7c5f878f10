/** watcher.yml → **what it sets**, or all that is wrong with it by line and column. */

import { readFile } from 'node:fs/promises';
import type { JsonValue } from '../domain/check.ts';
import type { SinkSettings } from '../domain/sink-settings.ts';
import { hasReference, REFERENCE_FORMS } from '../secrets/reference.ts';
import type { Tell } from './assertion-list.ts';
import { byPlace, diagnosticOf, type Problem, RENDERERS, severityOf } from './diagnostics.ts';
import { type Fault, faultsOf } from './issues.ts';
import { flatten, type GivenSettings, settingsFileSchema } from './settings-schema.ts';
import { SETTING_NAMES, SETTINGS, type Setting } from './settings-table.ts';
import { sinksOf } from './sinks.ts';
import { decodeText } from './source.ts';
import { readTree, type YamlTree } from './yaml-tree.ts';

export interface SettingsFile {
  readonly given: GivenSettings;
  readonly sinks: readonly SinkSettings[];
  /** One line each. */
  readonly problems: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Rejects with what the file system says. */
export const readSettingsFile = async (path: string, env: Environment): Promise<SettingsFile> => {
  const text = decodeText(await readFile(path));
  const parsed = typeof text === 'string' ? parse(text, env) : nothingBut([text]);
  const inOrder = parsed.problems.map((one) => diagnosticOf(path, one)).sort(byPlace);
  return { ...parsed, problems: inOrder.map(RENDERERS.text) };
};

type Parsed = Omit<SettingsFile, 'problems'> & { readonly problems: readonly Problem[] };

const nothingBut = (problems: readonly Problem[]): Parsed => ({ given: {}, sinks: [], problems });

const parse = (text: string, env: Environment): Parsed => {
  const tree = readTree(text);
  const errors = tree.problems.filter(({ code }) => severityOf(code) === 'error');
  if (errors.length > 0) return nothingBut(errors);
  const value = tree.value ?? {};
  const problems: Problem[] = [];
  const tell: Tell = (fault) => void problems.push(problemOf(fault, tree));
  const parsed = settingsFileSchema.safeParse(value);
  if (!parsed.success)
    for (const fault of faultsOf(parsed.error.issues, { value, schema: settingsFileSchema }))
      tell(fault);
  const given = parsed.success ? flatten(parsed.data) : {};
  problems.push(...openSecrets(given, tree));
  const { sinks: list } = value as { readonly sinks?: JsonValue };
  const sinks = list === undefined ? [] : sinksOf(list, { env, tell });
  return { given, sinks, problems };
};

const problemOf = ({ path, atKey = false, ...fault }: Fault, tree: YamlTree): Problem => ({
  ...fault,
  place: tree.placeOf(path, atKey),
});

/** Files of settings are shared and committed: a secret never stands in one. */
const openSecrets = (given: GivenSettings, tree: YamlTree): readonly Problem[] =>
  SETTING_NAMES.filter((name) => (SETTINGS[name] as Setting).secret)
    .filter((name) => given[name] !== undefined && !hasReference(String(given[name])))
    .map((name) => ({
      code: 'E511',
      place: tree.placeOf(name.split('.'), false),
      message: `${name} must be ${REFERENCE_FORMS}`,
    }));
