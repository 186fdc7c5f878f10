/** What a benchmark asks of nginx: the words that both sides of a ratio are configured with. */

import type { Span } from './measured-window.ts';

export type Pace =
  | { readonly kind: 'saturated'; readonly inFlight: number }
  | { readonly kind: 'paced'; readonly perSecond: number };

export interface TargetLoad {
  readonly port: number;
  /** PEM; empty for plain HTTP. */
  readonly certificate: string;
  readonly connection: 'fresh' | 'reuse';
  /** Distinct addresses of 127.0.0.0/8. */
  readonly origins: number;
  readonly pace: Pace;
  readonly span: Span;
}

/** Both ways of loading a target; a full TLS handshake costs so much that fewer fit a core. */
export const paces = ({ tls }: { readonly tls: boolean }): readonly Pace[] => [
  { kind: 'saturated', inFlight: 64 },
  { kind: 'paced', perSecond: tls ? 300 : 1_000 },
];

export const spanOf = (quick: boolean): Span =>
  quick ? { warmUpMs: 200, measureMs: 500 } : { warmUpMs: 1_500, measureMs: 3_500 };

export const paceName = (pace: Pace): string =>
  pace.kind === 'paced' ? `${pace.perSecond}/s` : 'saturated';
