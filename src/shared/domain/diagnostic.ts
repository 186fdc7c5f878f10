/** A problem of a configuration file, as a value: all of them are shown at once. */

export type Severity = 'error' | 'warning' | 'info';

export interface Diagnostic {
  readonly severity: Severity;
  /** `E…` error, `W1…` repaired, `W…` warning, `I2…` advice. */
  readonly code: string;
  readonly file: string;
  /** From 1; 0 when the problem is the file itself. */
  readonly line: number;
  readonly column: number;
  /** What is wrong, one line. */
  readonly message: string;
  /** What to do about it, with the nearest known key where there is one. */
  readonly hint?: string;
}
