/**
 * How many instances an autoscaling group wants, by the level that it tracks: CloudWatch → **policy** →
 * group. As AWS does it, but counted in published levels instead of minutes. Pure.
 */

export interface TrackingPolicy {
  /** Where the level is to be, percent. */
  readonly target: number;
  readonly min: number;
  readonly max: number;
  /** More are wanted after so many levels in a row above the target… */
  readonly outAfter: number;
  /** …and fewer after so many in a row that are well below it. */
  readonly inAfter: number;
}

export interface Instances {
  /** Wanted so far, those that warm up included. */
  readonly wanted: number;
  /** Those that have been there long enough to show in the level. */
  readonly warm: number;
}

/** AWS keeps as far away from the target before it takes instances away. */
const WELL_BELOW = 0.9;

/** `levels`: since the number last changed, in percent, the newest last. */
export const wantedBy = (
  policy: TrackingPolicy,
  levels: readonly number[],
  { wanted, warm }: Instances,
): number => {
  const { target, min, max } = policy;
  const level = levels.at(-1) ?? 0;
  const fitting = (instances: number): number =>
    Math.min(Math.max(Math.ceil((instances * level) / target), min), max);
  // Instances that warm up are part of the answer already.
  if (lastAre(levels, policy.outAfter, (one) => one > target))
    return Math.max(wanted, fitting(warm));
  const isLow = lastAre(levels, policy.inAfter, (one) => one < target * WELL_BELOW);
  return isLow && warm === wanted ? Math.min(wanted, fitting(wanted)) : wanted;
};

const lastAre = (
  levels: readonly number[],
  count: number,
  isSo: (level: number) => boolean,
): boolean => levels.length >= count && levels.slice(-count).every(isSo);
