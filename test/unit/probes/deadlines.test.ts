import { connect } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/shared/domain/result.ts';
import {
  type DistantBehaviour,
  standStill,
  startDistantTarget,
} from '../../support/distant-target.ts';
import { closingWith, response, startHttpTarget } from '../../support/http-target.ts';
import { aProbe, aRequest, gist, observe } from '../../support/probing.ts';

const RUNS = 300;

const probe = aProbe();
afterAll(() => probe.close());

/** How many of the observations say what. */
const tally = (observations: readonly Observation[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const observation of observations) {
    counts[gist(observation)] = (counts[gist(observation)] ?? 0) + 1;
  }
  return counts;
};

/** Many runs in flight, and then the event loop stands still. */
const runsUnderStall = async (behaviour: DistantBehaviour, timeoutMs: number, stallMs: number) => {
  await using target = await startDistantTarget(behaviour);
  const runs = Array.from({ length: RUNS }, () => observe(probe, `${target.at}/`, { timeoutMs }));
  // Until the requests are on their way: a handful of turns.
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  standStill(stallMs);
  return tally(await Promise.all(runs));
};

describe('the deadline of a run', () => {
  it('covers a connection that hangs', async () => {
    await using target = await startDistantTarget({ kind: 'accepts nothing' });
    const fillers = [1, 2, 3].map(() => connect(target.port, '127.0.0.1').on('error', () => {}));
    const observation = await observe(probe, `${target.at}/`, { timeoutMs: 200 });
    for (const filler of fillers) filler.destroy();
    expect(gist(observation)).toBe('timeout_connect');
  });

  it('covers a resolver that is silent, and does not blame the target', async () => {
    const deaf = aProbe({ resolver: { resolve: () => {}, close: () => {} } });
    const observation = await observe(deaf, 'example.com/', { timeoutMs: 50 });
    expect(gist(observation)).toBe('checker_resolver');
    await deaf.close();
  });

  it('covers all redirects together', async () => {
    await using target = await startHttpTarget(({ socket }) => {
      setTimeout(() => socket.end(response('', { location: '/on' }, '302 Found')), 60);
    });
    const observation = await observe(probe, `${target.at}/`, {
      followRedirects: 10,
      timeoutMs: 200,
    });
    expect(gist(observation)).toBe('timeout_first_byte');
    expect(target.connections()).toBeGreaterThan(1);
  });

  it('leaves no connection behind', async () => {
    let closed = () => {};
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    await using target = await startHttpTarget(() => {}, {
      onConnection: (socket) => socket.on('close', closed),
    });
    await observe(probe, `${target.at}/`, { timeoutMs: 50 });
    await isClosed;
  });

  it('never comes after an abort', async () => {
    await using target = await startHttpTarget(closingWith(response('fine')));
    const prepared = probe.prepare(aRequest({ timeoutMs: 20 }));
    const seen: Observation[] = [];
    for (const key of [`${target.at}/`, 'localhost:1/', '169.254.169.254/', 'not a key']) {
      probe.start(key, prepared, (observation) => seen.push(observation))();
    }
    await observe(probe, `${target.at}/`, {});
    await observe(probe, `${target.at}/`, { timeoutMs: 1 });
    expect(seen).toEqual([]);
  });
});

describe('when the event loop of watcher stands still', () => {
  it('a target that answered meanwhile has answered', async () => {
    const answers = { kind: 'answers', afterMs: 30 } as const;
    expect(await runsUnderStall(answers, 300, 1_000)).toEqual({ '200 fine': RUNS });
  });

  it('a target that had no fair chance to answer is not at fault', async () => {
    const silence = { kind: 'says nothing' } as const;
    expect(await runsUnderStall(silence, 300, 1_000)).toEqual({ checker_blocked: RUNS });
  });

  it('a target that gave up on us meanwhile is not at fault', async () => {
    const impatience = { kind: 'closes', afterMs: 300 } as const;
    expect(await runsUnderStall(impatience, 5_000, 600)).toEqual({ checker_blocked: RUNS });
  });

  it('a target that stays silent for the rest of a long timeout is at fault', async () => {
    const silence = { kind: 'says nothing' } as const;
    expect(await runsUnderStall(silence, 1_500, 100)).toEqual({ timeout_first_byte: RUNS });
  });

  it('runs that start afterwards have lost nothing', async () => {
    await using target = await startDistantTarget({ kind: 'closes', afterMs: 0 });
    const before = observe(probe, `${target.at}/`, { timeoutMs: 5_000 });
    standStill(500);
    const after = observe(probe, `${target.at}/`, { timeoutMs: 5_000 });
    expect([gist(await before), gist(await after)]).toEqual(['checker_blocked', 'closed']);
  });

  it('while it tells of other deadlines, those are no less the fault of their targets', async () => {
    await using target = await startDistantTarget({ kind: 'says nothing' });
    const runs = Array.from({ length: 5 }, async () => {
      const observation = await observe(probe, `${target.at}/`, { timeoutMs: 100 });
      return gist(observation);
    });
    const prepared = probe.prepare(aRequest({ timeoutMs: 100 }));
    // Whoever hears of the first deadline takes his time.
    probe.start(`${target.at}/`, prepared, () => standStill(300));
    runs.push(observe(probe, `${target.at}/`, { timeoutMs: 100 }).then(gist));
    expect(await Promise.all(runs)).toEqual(Array(6).fill('timeout_first_byte'));
  });

  it('a deadline before and without it blames the target', async () => {
    await using target = await startDistantTarget({ kind: 'says nothing' });
    const observation = await observe(probe, `${target.at}/`, { timeoutMs: 100 });
    expect(gist(observation)).toBe('timeout_first_byte');
  });
});
