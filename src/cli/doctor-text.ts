/** What `watcher doctor` found, one line each. */

import { styleText } from 'node:util';
import { inert } from '../shared/runtime/inert.ts';
import type { Finding } from './examination.ts';

type State = Finding['state'];

const COLOURS = { ok: 'green', failed: 'red', untested: 'yellow' } as const;
const WIDEST_STATE = 'untested'.length;

export interface LineOptions {
  /** Of the longest name. */
  readonly nameWidth: number;
  readonly stream: NodeJS.WritableStream;
}

/** `ok        listener      127.0.0.1:9464 is free` */
export const findingLine = (
  { state, name, message, usedBy }: Finding,
  { nameWidth, stream }: LineOptions,
): string => {
  const shown = styleText(COLOURS[state], state.padEnd(WIDEST_STATE), { stream });
  const user = usedBy === '' ? '' : ` (${inert(usedBy)})`;
  return `${shown}  ${inert(name).padEnd(nameWidth)}  ${inert(message)}${user}`;
};

export const summaryLine = (findings: readonly Finding[]): string => {
  const many = (state: State): number => findings.filter((one) => one.state === state).length;
  return (['failed', 'untested', 'ok'] as const)
    .filter((state) => many(state) > 0)
    .map((state) => `${many(state)} ${state}`)
    .join(', ');
};
