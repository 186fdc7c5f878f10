import { describe, expect, it } from 'vitest';
import type { SelfDefinition } from '../../../src/shared/domain/check.ts';
import type { SelfEmission } from '../../../src/shared/domain/delivery.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { SelfMonitor } from '../../../src/shared/runtime/self-monitor.ts';
import { SelfPosts } from '../../../src/shared/sinks/self-posts.ts';
import { WELL } from '../../support/alone.ts';
import { noFlow, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const aBlock = (cron: string, url = 'https://a/'): SelfDefinition => ({
  schedule: { cron, timezone: 'UTC', splayMs: 0 },
  posts: { on: 'every', endpoint: { url, body: {} } },
});

const begin = () => {
  const clock = new ManualClock(TICK);
  const meter = new Meter();
  const standing = () => WELL;
  const self = new SelfMonitor({
    clock,
    meter,
    worker: 'w1',
    version: '1',
    flow: noFlow,
    standing,
  });
  const reported: SelfEmission[] = [];
  const posted: (readonly [url: string | undefined, at: number])[] = [];
  const router = {
    report: (emission: SelfEmission) => reported.push(emission),
    post: ({ at }: SelfEmission, { endpoint }: SelfDefinition['posts']) =>
      posted.push([endpoint?.url, at - TICK]),
  };
  const posts = new SelfPosts({ clock, meter, self, router, host: 'host-1', worker: 'w1' });
  return { clock, meter, reported, posted, posts };
};

describe('watcher on itself', () => {
  it('reports to the pool-wide sinks every minute, counters as what was added', async () => {
    const { clock, meter, reported, posts } = begin();
    const run = meter.counter('watcher.checks.run');
    const added = () =>
      reported.map(
        ({ samples }) => samples.find(({ name }) => name === 'watcher.checks.run')?.value,
      );
    run.add(5);
    await clock.advance(60_000);
    run.add(2);
    await clock.advance(120_000);
    expect(added()).toEqual([5, 2, 0]);
    expect(reported[0]).toMatchObject({ host: 'host-1', status: 'ok', findings: [] });
    posts[Symbol.dispose]();
    await clock.advance(120_000);
    expect(reported).toHaveLength(3);
  });

  it('says what is wrong', async () => {
    const { clock, meter, reported } = begin();
    meter.gauge('watcher.network.suspected').set(1);
    await clock.advance(60_000);
    expect(reported[0]?.status).toBe('degraded');
    expect(reported[0]?.findings[0]).toContain('network');
  });

  it('posts to each self block when its schedule says', async () => {
    const { clock, posts, posted } = begin();
    posts.follow([aBlock('*/2 * * * *'), aBlock('0 */1 * * *', 'https://b/')]);
    await clock.advance(3_600_000);
    expect(posted.filter(([url]) => url === 'https://a/')).toHaveLength(30);
    expect(posted.filter(([url]) => url === 'https://b/')).toEqual([['https://b/', 3_600_000]]);
  });

  it('keeps the schedule of blocks through a reload that does not change them', async () => {
    const { clock, posts, posted } = begin();
    posts.follow([aBlock('* * * * *')]);
    await clock.advance(59_999);
    posts.follow([aBlock('* * * * *')]);
    await clock.advance(1);
    expect(posted).toHaveLength(1);
    posts.follow([]);
    await clock.advance(300_000);
    expect(posted).toHaveLength(1);
  });

  it('follows a wall clock that somebody sets, within a minute', async () => {
    const { clock, posts, posted } = begin();
    posts.follow([aBlock('0 0 3 1 *')]);
    await clock.advance(3_600_000);
    expect(posted).toEqual([]);
    clock.stepWall(2 * 86_400_000);
    await clock.advance(60_000);
    expect(posted).toEqual([['https://a/', 2 * 86_400_000]]);
  });
});
