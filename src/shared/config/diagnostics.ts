/**
 * What can be wrong with a check file: the one list of codes, and how problems are collected and
 * shown. A problem is a value, so that all of a folder's are told at once.
 */

import type { Diagnostic, Severity } from '../domain/diagnostic.ts';

/** Code -> what it means. docs/configuration.md explains each; a test holds the two together. */
export const CODES = {
  E301: 'the file cannot be read',
  E302: 'the name is that of a check file, but it is not a regular file',
  E303: 'the link leads out of the folder',
  E304: 'the file is larger than 1 MiB',
  E305: 'the file is not UTF-8',
  E401: 'the file is not YAML, and none of the known repairs makes it so',
  E402: 'the top level is not a map',
  E403: 'a key is there twice',
  E404: 'nested too deeply',
  E405: 'anchors, aliases and merge keys are not supported',
  E406: 'YAML tags are not supported',
  E407: 'a key is not plain text',
  E501: 'unknown key',
  E502: 'the value is not of the kind that the key takes',
  E503: 'a key is missing',
  E504: 'the cron expression or its time zone cannot be used',
  E505: 'the URL cannot be checked',
  E506: 'the header cannot be sent',
  E507: 'the JSONPath cannot be used',
  E508: 'the test cannot be carried out',
  E509: 'a placeholder that no value of the check fills',
  E510: 'keys that exclude each other, or one that needs another',
  E511: 'the reference to a secret cannot be read',
  E512: 'the same check is in two places; the first one runs',
  E513: 'defaults belong in defaults.yml, checks do not',
  E514: 'a secret stands in the file, and the pool has no key to seal it',
  W101: 'repaired: the cron expression lacks its quotes',
  W102: 'repaired: a value and keys below it stand at the same key',
  W103: 'repaired: a placeholder lacks its quotes',
  W104: 'repaired: there are several self blocks',
  W105: 'repaired: a list of one-key maps has a key twice; the last one counts',
  W301: 'the name nearly is that of a check file; only *.yml is read',
  I201: 'a secret stands in the file',
  I202: 'an old host of Datadog',
  I203: 'a resource that is not an ARN',
  I204: 'no region; us-east-1 is used',
  I205: 'a timeout longer than the interval',
  I206: 'many fresh connections a second to one address',
  I207: 'the file does not end with a line break: it may be half written',
} as const;

export type Code = keyof typeof CODES;

/** From 1; 0 and 0 mean the file itself. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export const WHOLE_FILE: Place = { line: 0, column: 0 };

const SEVERITIES: Readonly<Record<string, Severity>> = { E: 'error', W: 'warning', I: 'info' };

export const severityOf = (code: Code): Severity => SEVERITIES[code.charAt(0)] ?? 'error';

export interface Problem {
  readonly code: Code;
  readonly place: Place;
  readonly message: string;
  readonly hint?: string | undefined;
}

export const diagnosticOf = (
  file: string,
  { code, place, message, hint }: Problem,
): Diagnostic => ({
  severity: severityOf(code),
  code,
  file,
  line: place.line,
  column: place.column,
  message: oneLine(message),
  ...(hint === undefined ? {} : { hint: oneLine(hint) }),
});

/** Control, bidirectional and zero-width characters could forge lines or hide what stands there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

export const hasUnseen = (text: string): boolean => text.search(UNSEEN) >= 0;

export const oneLine = (text: string): string =>
  text.replace(UNSEEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const byPlace = (a: Diagnostic, b: Diagnostic): number =>
  compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.code, b.code);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const count = (diagnostics: readonly Diagnostic[], severity: Severity): number =>
  diagnostics.reduce((sum, diagnostic) => sum + Number(diagnostic.severity === severity), 0);

/** `strict` counts warnings as errors. */
export const hasErrors = (diagnostics: readonly Diagnostic[], strict = false): boolean =>
  count(diagnostics, 'error') > 0 || (strict && count(diagnostics, 'warning') > 0);

export type DiagnosticFormat = 'text' | 'json' | 'github';

/** One line for each, without the line break; `json` is one object a line too. */
export const RENDERERS: Readonly<Record<DiagnosticFormat, (diagnostic: Diagnostic) => string>> = {
  text: ({ file, line, column, severity, code, message, hint }) => {
    const place = line === 0 ? oneLine(file) : `${oneLine(file)}:${line}:${column}`;
    return `${place}: ${severity} ${code} ${message}${hint ? ` (${hint})` : ''}`;
  },
  json: (diagnostic) => JSON.stringify(diagnostic),
  github: ({ file, line, column, severity, code, message, hint }) => {
    const place = line === 0 ? '' : `,line=${line},col=${column}`;
    const command = { error: 'error', warning: 'warning', info: 'notice' }[severity];
    const text = `${message}${hint ? ` (${hint})` : ''}`;
    return `::${command} file=${property(file)}${place},title=${code}::${data(text)}`;
  },
};

/** The escapes of GitHub's workflow commands. */
const data = (text: string): string =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
