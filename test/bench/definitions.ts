/** Check definitions in any number, as config makes them from a folder, without the YAML. */

import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition, CheckId, CheckSpec } from '../../src/shared/domain/check.ts';

export interface DefinitionOptions {
  /** `host:port` of the n-th check. */
  readonly originOf: (index: number) => string;
  readonly cron: string;
  readonly connection: 'fresh' | 'reuse';
  /** PEM file: makes the checks HTTPS. */
  readonly ca?: string;
}

export function catalogueOf(count: number, options: DefinitionOptions): Catalogue {
  const spec = specOf(options);
  const definitions = Array.from({ length: count }, (_, index) =>
    definitionOf(index, spec, options),
  );
  return { definitions, selves: [], files: 0, diagnostics: [], digest: `${count} of one kind` };
}

export const definitionOf = (
  index: number,
  spec: CheckSpec,
  { originOf }: Pick<DefinitionOptions, 'originOf'>,
): CheckDefinition => ({
  id: `00000000-0000-5000-8000-${index.toString(16).padStart(12, '0')}` as CheckId,
  key: `${originOf(index)}/health?n=${index}`,
  spec,
});

/** One value asked for and compared, as in the notes that the product came from. */
export const specOf = ({
  cron,
  connection,
  ca,
}: Omit<DefinitionOptions, 'originOf'>): CheckSpec => ({
  kind: 'http',
  schedule: { cron, timezone: 'UTC', splayMs: cron.split(' ').length === 5 ? 60_000 : 0 },
  request: {
    scheme: ca === undefined ? 'http' : 'https',
    method: 'GET',
    headers: [],
    timeoutMs: 10_000,
    followRedirects: 0,
    ...(ca === undefined ? {} : { tls: { ca } }),
    ipFamily: 'any',
    connection,
  },
  values: [
    { name: 'status', path: '$.status' },
    { name: 'version', path: '$.version' },
  ],
  assertions: [
    {
      source: 'json',
      value: { name: 'status', path: '$.status' },
      operator: 'equals',
      operand: 'ok',
    },
  ],
  failAfter: 1,
});
