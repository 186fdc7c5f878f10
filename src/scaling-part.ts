/** The size of the pool, as its leader sees it, joined to the sinks, the metrics and the hook. */

import { Scaling } from './admin/scaling.ts';
import { type ScalingLevel, samplesOf } from './admin/scaling-level.ts';
import type { Ground } from './ground.ts';
import { ScalingHook } from './scaling-hook.ts';
import type { ScalingEmission } from './shared/domain/delivery.ts';
import { SCALING_METRICS } from './shared/domain/metrics.ts';
import type { PoolStanding } from './shared/domain/status.ts';
import { parseConnectTo } from './shared/rules/connect-to.ts';
import { scalingText } from './shared/rules/scaling-text.ts';
import type { Meter } from './shared/runtime/meter.ts';
import { createHttpTransport } from './shared/sinks/http/undici-transport.ts';

/** A process that is alone has no pool that could grow: what it says of itself is for its API. */
export const openScaling = (ground: Ground, stack: AsyncDisposableStack): Scaling => {
  const { clock, connectTo, pool, outlets, meter } = ground;
  const settings = pool.scaling;
  const http = createHttpTransport({ clock, connectTo: parseConnectTo(connectTo) });
  const hook = stack.use(new ScalingHook({ ...ground, settings, http }));
  const announce = (emission: ScalingEmission): void => {
    if (pool.etcd === null) return;
    outlets?.router.report(emission);
    const { event } = emission;
    if (event?.change === 'raised') hook.run(event);
  };
  const scaling = new Scaling({ ...ground, settings, announce });
  expose(meter, () => scaling.level, settings.pool);
  return scaling;
};

/** Nothing at all at a process that does not lead: zeros would be another pool. */
const expose = (meter: Meter, level: () => ScalingLevel | null, pool: string): void => {
  for (const name of SCALING_METRICS)
    meter.observe(name, () => {
      const now = level();
      const samples = now === null ? [] : samplesOf(now, pool);
      return samples
        .filter((sample) => sample.name === name)
        .map(({ value }) => ({ labels: { pool }, value }));
    });
};

/** For a self report. */
export const shortageIn = (
  level: ScalingLevel | null,
): Pick<PoolStanding, 'shortage' | 'quarantined'> => ({
  shortage: level === null || level.episode === null ? null : scalingText({ ...level, jobs: [] }),
  quarantined: level?.quarantinedJobs ?? 0,
});
