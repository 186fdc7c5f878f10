/** What happens in a world, in words, for whoever looks into a violation. */

import type { Change } from '../../src/shared/coordination/kv.ts';
import type { Log } from '../../src/shared/runtime/log.ts';

export type Tell = (line: string) => void;

/** A log of one process that is told with the rest. */
export const toldLog = (name: string, tell: Tell): Log => {
  const say =
    (level: string): Log['info'] =>
    (message, fields) =>
      tell(`${name} ${level} ${message} ${textOf(fields)}`);
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
};

const textOf = (fields: Record<string, unknown> | undefined): string =>
  JSON.stringify(fields ?? {}, (_, value: unknown) =>
    value instanceof Error ? value.message : value,
  );

export const textIn = (change: Change): string =>
  change.kind === 'put' ? change.entry.value.toString('latin1').slice(0, 150) : '';
