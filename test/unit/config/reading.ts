/** Reads check files as the loader does, from texts and fixtures. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type CheckFile, readCheckFile } from '../../../src/shared/config/check-file.ts';
import type { CheckInput } from '../../../src/shared/config/check-schema.ts';
import type { CheckDefinition } from '../../../src/shared/domain/check.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../../fixtures');

export const fixture = (name: string): Buffer => readFileSync(path.join(FIXTURES, name));

/** Names of the check files of a folder of fixtures. */
export const fixtures = (folder: string): readonly string[] =>
  readdirSync(path.join(FIXTURES, folder)).filter((name) => name.endsWith('.yml'));

export const read = (content: string | Buffer, defaults: CheckInput = {}): CheckFile =>
  readCheckFile({ file: 'shop.yml', name: 'shop.yml', bytes: Buffer.from(content) }, defaults);

export const definitions = ({ checks }: CheckFile): readonly CheckDefinition[] =>
  checks.map(({ definition }) => definition);

/** `W101 2:18` of each, in order. */
export const codesAndPlaces = ({ diagnostics }: CheckFile): readonly string[] =>
  diagnostics.map(({ code, line, column }) => `${code} ${line}:${column}`);

export const codes = ({ diagnostics }: CheckFile): readonly string[] =>
  diagnostics.map(({ code }) => code);

const HEAD = 'shop.example.com/health:\n  cron_schedule: "* * * * *"\n';

/** A check with these lines, which start at 3:3. */
export const check = (...lines: readonly string[]): string =>
  HEAD + lines.map((line) => `  ${line}\n`).join('');
