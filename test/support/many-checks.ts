/** Check definitions in any number, as config makes them from a folder, without the YAML. */

import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition, CheckId, CheckSpec } from '../../src/shared/domain/check.ts';
import { aSpec } from './builders.ts';

export interface SpecOptions {
  readonly cron: string;
  readonly connection: 'fresh' | 'reuse';
  /** PEM file: makes the checks HTTPS. */
  readonly ca?: string;
  readonly timeoutMs?: number;
}

export interface ManyChecksOptions extends SpecOptions {
  /** `host:port` of the n-th check. */
  readonly originOf: (index: number) => string;
}

export function catalogueOf(count: number, options: ManyChecksOptions): Catalogue {
  const spec = specOf(options);
  const definitions = Array.from({ length: count }, (_, index) =>
    definitionOf(index, spec, options),
  );
  return { definitions, selves: [], files: 0, diagnostics: [], digest: `${count} of one kind` };
}

export const definitionOf = (
  index: number,
  spec: CheckSpec,
  { originOf }: Pick<ManyChecksOptions, 'originOf'>,
): CheckDefinition => ({
  id: `00000000-0000-5000-8000-${index.toString(16).padStart(12, '0')}` as CheckId,
  key: `${originOf(index)}/health?n=${index}`,
  spec,
});

/** One value asked for and compared, as in the notes that the product came from. */
export const specOf = ({ cron, connection, ca, timeoutMs }: SpecOptions): CheckSpec =>
  aSpec({
    schedule: { cron, splayMs: cron.split(' ').length === 5 ? 60_000 : 0 },
    request: {
      scheme: ca === undefined ? 'http' : 'https',
      connection,
      ...(ca === undefined ? {} : { tls: { ca } }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
    values: [STATUS, { name: 'version', path: '$.version' }],
    assertions: [{ source: 'json', value: STATUS, operator: 'equals', operand: 'ok' }],
  });

const STATUS = { name: 'status', path: '$.status' };
