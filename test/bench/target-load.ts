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

/** Distinct for 16,000,000 numbers, from 127.0.0.1 on, never a network or broadcast address. */
export function addressOf(index: number): string {
  const host = (index % 254) + 1;
  const subnet = Math.floor(index / 254);
  return `127.${subnet >> 8}.${subnet & 255}.${host}`;
}

/** Both ways of loading a target; a full TLS handshake costs so much that fewer fit a core. */
export const paces = ({ tls }: { readonly tls: boolean }): readonly Pace[] => [
  { kind: 'saturated', inFlight: 64 },
  { kind: 'paced', perSecond: tls ? 300 : 1_000 },
];

export const spanOf = (quick: boolean): Span =>
  quick ? { warmUpMs: 200, measureMs: 500 } : { warmUpMs: 2_000, measureMs: 5_000 };

export const paceName = (pace: Pace): string =>
  pace.kind === 'paced' ? `${pace.perSecond}/s` : 'saturated';
