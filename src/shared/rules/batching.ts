/** How destinations gather items to calls: runs by the second → **calls** → cost. */

export interface Batching {
  /** Items are gathered this long. */
  readonly windowSeconds: number;
  readonly itemsPerCall: number;
}

/** A test holds this against the destinations themselves. */
export const BATCHING = {
  'datadog series': { windowSeconds: 10, itemsPerCall: 6_000 },
  'datadog service checks': { windowSeconds: 10, itemsPerCall: 2_000 },
  'eventbridge posts': { windowSeconds: 1, itemsPerCall: 10 },
} as const satisfies Record<string, Batching>;

/** Of CloudWatch, where a minute's values of one metric are one datum. */
export const DATUMS_PER_CALL = 1_000;

/** One call for each window with anything in it, more where it holds too much for one. */
export const callsOf = (
  seconds: Uint32Array,
  { windowSeconds, itemsPerCall }: Batching,
): number => {
  let calls = 0;
  for (let start = 0; start < seconds.length; start += windowSeconds) {
    const end = Math.min(seconds.length, start + windowSeconds);
    let items = 0;
    for (let second = start; second < end; second++) items += seconds[second] ?? 0;
    calls += Math.ceil(items / itemsPerCall);
  }
  return calls;
};
