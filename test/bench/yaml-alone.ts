/** The denominator of loading: every file of a folder read and parsed by `yaml`, nothing else. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { childOptions } from './measured-window.ts';

const { folder } = childOptions<{ readonly folder: string }>();
let endpoints = 0;
for (const file of readdirSync(folder)) {
  endpoints += Object.keys(parse(readFileSync(path.join(folder, file), 'utf8'))).length;
}
console.log(JSON.stringify({ endpoints }));
