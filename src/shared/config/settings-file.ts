/** watcher.yml → **what it sets**, or all that is wrong with it by line and column. */

import { readFile } from 'node:fs/promises';
import { hasReference, REFERENCE_FORMS } from '../secrets/reference.ts';
import { byPlace, diagnosticOf, type Problem, RENDERERS, severityOf } from './diagnostics.ts';
import { faultsOf } from './issues.ts';
import { flatten, type GivenSettings, settingsFileSchema } from './settings-schema.ts';
import { SETTING_NAMES, SETTINGS, type Setting } from './settings-table.ts';
import { decodeText } from './source.ts';
import { readTree, type YamlTree } from './yaml-tree.ts';

export interface SettingsFile {
  readonly given: GivenSettings;
  /** One line each. */
  readonly problems: readonly string[];
}

/** Rejects with what the file system says. */
export const readSettingsFile = async (path: string): Promise<SettingsFile> => {
  const text = decodeText(await readFile(path));
  const { given, problems } = typeof text === 'string' ? parse(text) : nothingBut([text]);
  const inOrder = problems.map((one) => diagnosticOf(path, one)).sort(byPlace);
  return { given, problems: inOrder.map(RENDERERS.text) };
};

interface Parsed {
  readonly given: GivenSettings;
  readonly problems: readonly Problem[];
}

const nothingBut = (problems: readonly Problem[]): Parsed => ({ given: {}, problems });

const parse = (text: string): Parsed => {
  const tree = readTree(text);
  const errors = tree.problems.filter(({ code }) => severityOf(code) === 'error');
  if (errors.length > 0) return nothingBut(errors);
  const value = tree.value ?? {};
  const parsed = settingsFileSchema.safeParse(value);
  if (!parsed.success) {
    const faults = faultsOf(parsed.error.issues, { value, schema: settingsFileSchema });
    return nothingBut(faults.map((fault) => problemOf(fault, tree)));
  }
  const given = flatten(parsed.data);
  return { given, problems: openSecrets(given, tree) };
};

const problemOf = (
  { path, atKey = false, ...fault }: ReturnType<typeof faultsOf>[number],
  tree: YamlTree,
): Problem => ({ ...fault, place: tree.placeOf(path, atKey) });

/** Files of settings are shared and committed: a secret never stands in one. */
const openSecrets = (given: GivenSettings, tree: YamlTree): readonly Problem[] =>
  SETTING_NAMES.filter((name) => (SETTINGS[name] as Setting).secret)
    .filter((name) => given[name] !== undefined && !hasReference(String(given[name])))
    .map((name) => ({
      code: 'E511',
      place: tree.placeOf(name.split('.'), false),
      message: `${name} must be ${REFERENCE_FORMS}`,
    }));
