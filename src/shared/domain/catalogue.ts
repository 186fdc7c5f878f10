/** What a folder of specs says at one moment: config → **catalogue** → publisher. */

import type { CheckDefinition, SelfDefinition } from './check.ts';
import type { Diagnostic } from './diagnostic.ts';

export interface Catalogue {
  /** Of the good files and of the last good version of the bad ones. Keys are unique. */
  readonly definitions: readonly CheckDefinition[];
  readonly selves: readonly SelfDefinition[];
  /** How many files were read. */
  readonly files: number;
  /** Every problem of every file, also of those whose last good version stands in. */
  readonly diagnostics: readonly Diagnostic[];
  /** Changes when, and only when, definitions or selves do. */
  readonly digest: string;
}
