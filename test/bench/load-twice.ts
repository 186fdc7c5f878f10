/** A folder loaded, and loaded again unchanged, as a running watcher does when it is told to look. */

import { FolderLoader } from '../../src/shared/config/folder.ts';
import { childOptions } from './measured-window.ts';

const { folder } = childOptions<{ readonly folder: string }>();
const loader = new FolderLoader(folder);
const first = await loader.load();
const began = performance.now();
const second = await loader.load();
const againMs = performance.now() - began;
if (second.digest !== first.digest) throw new Error('the folder is not the same');
console.log(JSON.stringify({ againMs, checks: second.definitions.length }));
