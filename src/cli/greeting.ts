/** The first lines of a run: what it does, where it answers, and what is wrong with its files. */

import type { Catalogue } from '../shared/domain/catalogue.ts';
import { plural } from './text.ts';

export interface Greeting {
  readonly version: string;
  readonly catalogue: Catalogue;
  readonly url: string | null;
  /** Of the check files. */
  readonly dir: string;
  readonly isDemo: boolean;
}

export const greeting = ({ version, catalogue, url, dir, isDemo }: Greeting): string => {
  const checks = plural(catalogue.definitions.length, 'check');
  const problems = problemsLine(catalogue, dir);
  const lines = [
    `watcher ${version} runs ${checks} and answers at ${url}`,
    ...(problems === null ? [] : [problems]),
    ...(catalogue.definitions.length === 0 ? [nothingLine(catalogue, dir)] : []),
    ...(isDemo ? demoLines(dir) : []),
  ];
  return `${lines.join('\n')}\n\n`;
};

export const workerGreeting = ({ version, url }: Pick<Greeting, 'version' | 'url'>): string =>
  `watcher ${version} works for its pool and answers at ${url}\n\n`;

export const adminGreeting = ({
  version,
  catalogue,
  url,
  dir,
}: Omit<Greeting, 'isDemo'>): string => {
  const checks = plural(catalogue.definitions.length, 'check');
  const lines = [
    `watcher ${version} has ${checks} for its pool and answers at ${url}`,
    problemsLine(catalogue, dir),
  ];
  return `${lines.filter((line) => line !== null).join('\n')}\n\n`;
};

/** Null where nothing is wrong; advice is no problem. */
export const problemsLine = ({ diagnostics }: Catalogue, dir: string): string | null => {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const files = new Set(errors.map(({ file }) => file)).size;
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning').length;
  const counts = [
    ...(files > 0 ? [`${plural(files, 'file')} with errors`] : []),
    ...(warnings > 0 ? [plural(warnings, 'warning')] : []),
  ];
  return counts.length === 0 ? null : `${counts.join(', ')}; to see them:  watcher validate ${dir}`;
};

const nothingLine = ({ files }: Catalogue, dir: string): string => {
  const what = files === 0 ? 'has no *.yml file' : 'has no check that can run';
  return `${dir} ${what} yet; save one and it runs, or try a URL:  watcher run https://example.com`;
};

const demoLines = (dir: string): readonly string[] => [
  'This is a demo. To check a URL of your own:  npm start -- https://example.com',
  `The checks are in ${dir}: change one and save`,
];
