/** The size of the pool in each sink: the same series whichever process leads, and each alarm once. */

import { describe, expect, it } from 'vitest';
import { instantOf } from '../../../src/shared/domain/delivery.ts';
import { scalingText } from '../../../src/shared/rules/scaling-text.ts';
import { cloudWatchDestination } from '../../../src/shared/sinks/aws/cloudwatch.ts';
import { eventBridgeDestination } from '../../../src/shared/sinks/aws/eventbridge.ts';
import type { Call, Destination } from '../../../src/shared/sinks/destination.ts';
import { type Entry, type MetricData, problemOf } from '../../support/aws-constraints.ts';
import { aScalingEmission, aSelfEmission, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedSink, startDelivery } from '../../support/scripted-sink.ts';
import { ACCESS, aContext, anItem } from './aws/context.ts';
import { bodiesOf, destination } from './datadog/support.ts';

const RAISED = aScalingEmission();
const CLEARED = aScalingEmission(
  { at: TICK + 90_000 },
  { change: 'cleared', waitingJobs: 0, oldestWaitingMs: 0, workers: 3, jobs: [] },
);
const LEVEL = aScalingEmission({}, null);

const requestOf = <T>(sink: Destination<string>, emission: typeof RAISED): T => {
  const [call] = sink.encode([anItem(emission)]);
  return JSON.parse((call as Call<string>).payload) as T;
};

describe('CloudWatch', () => {
  const aSink = (dimensions: Readonly<Record<string, string>> = {}) =>
    cloudWatchDestination(
      { kind: 'cloudwatch', ...ACCESS, namespace: 'Watcher', dimensions, metrics: ['success'] },
      aContext(),
    );

  it('has the level with the pool as dimension, and no host: the next leader goes on with it', () => {
    const request = requestOf<MetricData>(aSink({ Stage: 'prod' }), LEVEL);
    const common = {
      Dimensions: [
        { Name: 'pool', Value: 'eu-checks' },
        { Name: 'Stage', Value: 'prod' },
      ],
      Timestamp: TICK / 1000,
    };
    expect(request.MetricData).toEqual([
      {
        MetricName: 'watcher.scaling.capacity_utilization',
        Unit: 'Percent',
        Values: [142.5],
        ...common,
      },
      { MetricName: 'watcher.scaling.desired_workers', Unit: 'Count', Values: [3], ...common },
    ]);
    expect(problemOf('PutMetricData', request, TICK)).toBeNull();
  });

  it('wants it beside as many dimensions as the settings allow', () => {
    expect(aSink({ a: '1', b: '2' }).wants(LEVEL)).toBe(true);
  });
});

describe('EventBridge', () => {
  const sink = eventBridgeDestination(
    { kind: 'eventbridge', ...ACCESS, bus: 'ops', source: 'watcher' },
    aContext(),
  );
  const entryOf = (emission: typeof RAISED): Entry =>
    requestOf<{ readonly Entries: readonly Entry[] }>(sink, emission).Entries[0] as Entry;

  it('wants the two changes, and not the level', () => {
    expect([RAISED, CLEARED, LEVEL].map(sink.wants)).toEqual([true, true, false]);
  });

  it('is told of both with ids that are the same however often they are sent', () => {
    const raised = entryOf(RAISED);
    expect(raised).toMatchObject({ DetailType: 'Scaling Limit Hit', Time: TICK / 1000 });
    expect(JSON.parse(raised.Detail ?? '')).toEqual({
      id: 'e1:raised',
      episode: 'e1',
      change: 'raised',
      pool: 'eu-checks',
      raised_at: '2026-01-01T00:00:00.000Z',
      waiting_jobs: 5,
      oldest_waiting_ms: 12_000,
      workers: 2,
      desired_workers: 3,
      missing_workers: 1,
      capacity_utilization: 142.5,
      jobs: ['a/x', 'b/y'],
      text: '5 jobs wait for a worker with room, the first for 12 s; 2 workers, 3 needed: a/x, b/y, and 3 more',
    });
    const cleared = entryOf(CLEARED);
    expect(cleared).toMatchObject({ DetailType: 'Scaling Limit Cleared' });
    expect(JSON.parse(cleared.Detail ?? '')).toMatchObject({ id: 'e1:cleared', episode: 'e1' });
  });

  it('takes an event that names as many jobs as there may be', () => {
    const jobs = Array.from({ length: 100 }, (_, n) => `${'host'.repeat(200)}.example/${n}`);
    const request = requestOf(sink, aScalingEmission({}, { jobs }));
    expect(problemOf('PutEvents', request, TICK)).toBeNull();
  });
});

describe('Datadog', () => {
  it('has the level as gauges tagged with the pool, and with no host', () => {
    const [body] = bodiesOf(destination('series'), [LEVEL]);
    expect(body).toEqual({
      series: [
        {
          metric: 'watcher.scaling.capacity_utilization',
          type: 3,
          unit: 'percent',
          points: [{ timestamp: TICK / 1000, value: 142.5 }],
          tags: ['pool:eu-checks', 'env:prod'],
        },
        expect.objectContaining({ metric: 'watcher.scaling.desired_workers' }),
      ],
    });
  });

  it('has an event for each of the two changes, and none for the level', () => {
    const events = destination('events');
    expect([RAISED, CLEARED, LEVEL].map(events.wants)).toEqual([true, true, false]);
    expect(bodiesOf(events, [RAISED, CLEARED])).toEqual([
      {
        title: 'Scaling limit hit: pool eu-checks',
        text: expect.stringMatching(/^5 jobs wait .*a\/x, b\/y, and 3 more$/),
        alert_type: 'warning',
        aggregation_key: 'scaling:eu-checks',
        date_happened: TICK / 1000,
        source_type_name: 'watcher',
        tags: ['pool:eu-checks', 'scaling:raised', 'env:prod'],
      },
      expect.objectContaining({
        title: 'Scaling limit cleared: pool eu-checks',
        alert_type: 'success',
      }),
    ]);
  });

  it('has no service check of it', () => {
    expect(destination('checks').wants(RAISED)).toBe(false);
  });
});

describe('a delivery', () => {
  it('does not wait for its window with what an autoscaling group acts on', async () => {
    const clock = new ManualClock(TICK);
    const sink = new ScriptedSink(clock);
    const { delivery, records } = startDelivery(clock, sink);
    const offer = (seq: number, emission: typeof RAISED | ReturnType<typeof aSelfEmission>) => {
      records.byseq.set(seq, emission);
      delivery.offer({ seq, emission, body: null });
    };
    offer(1, aSelfEmission());
    await clock.advance(1_000);
    expect(sink.sent).toEqual([]);
    offer(2, LEVEL);
    await clock.advance(0);
    expect(sink.sent).toEqual([[1, 2]]);
  });
});

describe('the sentence on missing workers', () => {
  it('is in the plural where there are several', () => {
    const { event } = aScalingEmission({}, { waitingJobs: 1, workers: 1, jobs: ['a/x'] });
    expect(event && scalingText(event)).toBe(
      '1 job waits for a worker with room, the first for 12 s; 1 worker, 3 needed: a/x',
    );
    expect(CLEARED.event && scalingText(CLEARED.event)).toBe(
      'no job waits for a worker with room; 3 workers, 3 needed',
    );
  });

  it('stands at the instant at which the pool was judged', () => {
    expect(instantOf(CLEARED)).toBe(TICK + 90_000);
  });
});
