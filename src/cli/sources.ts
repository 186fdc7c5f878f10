/** Where a command's checks come from: the folder, some checks of it, URLs. */

import { statSync } from 'node:fs';
import type { CatalogueSource } from '../app.ts';
import { FolderLoader } from '../shared/config/folder.ts';
import { watchFolder } from '../shared/config/folder-watch.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Targets } from './run-options.ts';
import { urlCheck } from './url-check.ts';

const NOTHING: CatalogueSource = {
  load: async () => ({ definitions: [], selves: [], files: 0, diagnostics: [], digest: '' }),
  watch: () => ({ [Symbol.asyncDispose]: async () => {} }),
};

/** URLs alone need no folder; keys narrow it down to them. */
export const sourceOf = (dir: string, targets: Targets, clock: Clock): CatalogueSource => {
  const { urls, keys } = targets;
  const folder = urls.length > 0 && keys.length === 0 ? NOTHING : folderSource(dir, { clock });
  const extra = urls.map(urlCheck);
  const wanted = new Set(keys);
  const narrowed = ({ definitions, ...rest }: Catalogue): Catalogue => ({
    ...rest,
    definitions: [
      ...extra,
      ...definitions.filter(({ key }) => wanted.size === 0 || wanted.has(key)),
    ],
    digest: [rest.digest, ...urls, ...keys].join(' '),
  });
  return { watch: folder.watch, load: async () => narrowed(await folder.load()) };
};

const INSTEAD =
  'make it and save a check file in it, name another with --config, or check a URL: watcher run https://example.com';

/** A folder that vanishes later is told of by the loader; one that was never there is a slip. */
export const folderSource = (
  dir: string,
  options: { readonly clock: Clock; readonly inlineSecrets?: 'allow' | 'refuse' },
): CatalogueSource => {
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory())
    throw new WatcherError('WCH_SETTINGS', `config: there is no folder ${dir}; ${INSTEAD}`);
  const loader = new FolderLoader(dir, options);
  return {
    load: () => loader.load(),
    watch: (onChange) => watchFolder(dir, { clock: options.clock, onChange }),
  };
};

/** Throws WCH_USAGE for a key that the folder lacks: nobody means to watch nothing. */
export const refuseUnknown = ({ definitions }: Catalogue, { keys }: Targets): void => {
  const known = new Set(definitions.map(({ key }) => key));
  const unknown = keys.filter((key) => !known.has(key));
  if (unknown.length === 0) return;
  throw new WatcherError('WCH_USAGE', `no check is named ${unknown.join(' or ')} in that folder`);
};
