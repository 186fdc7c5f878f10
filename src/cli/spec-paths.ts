/** Folders and files of the command line → what their check files say. */

import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FolderLoader } from '../shared/config/folder.ts';
import { listSpecs } from '../shared/config/spec-folder.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import { WatcherError } from '../shared/domain/errors.ts';

export type Specs = Omit<Catalogue, 'digest'>;

/** Files of one folder are read together, with that folder's defaults. Throws WCH_USAGE. */
export const loadPaths = async (paths: readonly string[]): Promise<Specs> => {
  const loaders = await loadersOf(paths);
  const specs: Specs[] = [];
  for (const loader of loaders) specs.push(await loader.load());
  return {
    definitions: specs.flatMap(({ definitions }) => definitions),
    selves: specs.flatMap(({ selves }) => selves),
    files: specs.reduce((sum, { files }) => sum + files, 0),
    diagnostics: specs.flatMap(({ diagnostics }) => diagnostics),
  };
};

/** Nothing else goes on in this process: up to some thousands of checks, threads take longer to start. */
const inlineBytes = 2 * 1024 * 1024;

const loadersOf = async (paths: readonly string[]): Promise<readonly FolderLoader[]> => {
  const folders: string[] = [];
  const files = new Map<string, string[]>();
  for (const path of new Set(paths)) {
    if (await isFolder(path)) folders.push(path);
    else files.set(dirname(path), [...(files.get(dirname(path)) ?? []), basename(path)]);
  }
  return [
    ...folders.map((dir) => new FolderLoader(dir, { inlineBytes })),
    ...[...files].map(([dir, only]) => new FolderLoader(dir, { only, inlineBytes })),
  ];
};

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new WatcherError('WCH_USAGE', `${path} cannot be read`, { cause });
  }
};

/** The check files of folders, and files as they are named. Throws WCH_USAGE. */
export const specFiles = async (paths: readonly string[]): Promise<readonly string[]> => {
  const files: string[] = [];
  for (const path of new Set(paths)) {
    if (!(await isFolder(path))) files.push(path);
    else files.push(...(await listSpecs(path)).names.map((name) => join(path, name)));
  }
  return files;
};
