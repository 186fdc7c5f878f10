/** Fetches what the end-to-end tests run against, one after the other: apt does not like company. */

import { PROGRAM_NAMES, programOf } from './debian-packages.ts';

export async function setup(): Promise<void> {
  for (const name of PROGRAM_NAMES) await programOf(name);
}
