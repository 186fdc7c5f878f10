import { mkdtempDisposable, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PostSettings } from '../../../src/shared/domain/check.ts';
import type { DestinationId } from '../../../src/shared/domain/delivery.ts';
import type { Transition } from '../../../src/shared/domain/result.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import type { Item } from '../../../src/shared/sinks/destination.ts';
import type { Post } from '../../../src/shared/sinks/posts.ts';
import { Router } from '../../../src/shared/sinks/router.ts';
import { aResult, aSelfEmission, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { noLimit, ScriptedSink } from '../../support/scripted-sink.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** Keeps what it was given, to be looked at. */
class KeepingSink extends ScriptedSink {
  override readonly id: DestinationId;
  override readonly label: string;
  readonly items: Item[] = [];

  constructor(clock: ManualClock, name: string) {
    super(clock);
    this.id = name as DestinationId;
    this.label = name;
  }

  override encode(items: readonly Item[]) {
    this.items.push(...items);
    return super.encode(items);
  }
}

const settings = (url: string): PostSettings => ({ on: 'every', endpoint: { url, body: {} } });

const begin = ({
  clock = new ManualClock(TICK),
  poolWide = [] as readonly ScriptedSink[],
  stateFolder = null as string | null,
  made = new Map<string, KeepingSink>(),
} = {}) => {
  let compiled = 0;
  const postsOf = ({ endpoint }: PostSettings): readonly Post[] => {
    compiled += 1;
    const url = endpoint?.url ?? '';
    const destination = new KeepingSink(clock, url);
    if (!made.has(url)) made.set(url, destination);
    const render: Post['render'] = (emission) =>
      emission.kind === 'result' && emission.result.status !== 'ok' && url === 'only ok'
        ? null
        : { rendered: url };
    return [{ destination, render }];
  };
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const router = new Router({
    clock,
    random: seededRandom(1),
    log: { ...silentLog, warn: say, error: say },
    worker: 'w1',
    poolWide,
    postsOf,
    limiter: () => noLimit,
    stateFolder,
    finishMs: 10_000,
    redact: (text) => text,
  });
  const change: Transition = { from: 'ok', to: 'critical', at: TICK, reason: 'why' };
  const view = (sink: string) => router.views.find((one) => one.sink === sink);
  const end = () => clock.until(router[Symbol.asyncDispose]());
  return { clock, router, made, said, change, view, end, compilations: () => compiled };
};

describe('the router', () => {
  it('gives each result to every pool-wide sink that wants it', async () => {
    const clock = new ManualClock(TICK);
    const [all, changes] = [new KeepingSink(clock, 'all'), new KeepingSink(clock, 'changes')];
    changes.wants = (emission) => emission.kind === 'result' && emission.transition !== null;
    const { router, change } = begin({ clock, poolWide: [all, changes] });
    router.write(aResult(), null, undefined);
    router.write(aResult({ tick: TICK + 1 }), change, undefined);
    router.report(aSelfEmission());
    await clock.advance(20_000);
    expect(all.sent.flat()).toEqual([2, 1, 3]);
    expect(changes.sent).toEqual([[2]]);
  });

  it('has one delivery for all checks that name the same destination', async () => {
    const { clock, router, made, view, compilations } = begin();
    const [one, same, other] = [settings('a'), settings('a'), settings('b')];
    for (let n = 0; n < 5; n++) {
      router.write(aResult({ check: `c${n}` }), null, one);
      router.write(aResult({ check: `d${n}` }), null, same);
      router.write(aResult({ check: `e${n}` }), null, other);
    }
    await clock.advance(20_000);
    expect(compilations()).toBe(3);
    expect(router.views.map(({ sink }) => sink)).toEqual(['a', 'b']);
    expect(view('a')).toMatchObject({ produced: 10, delivered: 10, calls: 1 });
    expect(made.get('a')?.items[0]?.body).toEqual({ rendered: 'a' });
  });

  it('does not post what the check file does not want posted', async () => {
    const { clock, router, view } = begin();
    router.write(aResult({ status: 'critical' }), null, settings('only ok'));
    await clock.advance(20_000);
    expect(view('only ok')).toBeUndefined();
  });

  it('closes a destination that no check names any more, and opens it anew', async () => {
    const { clock, router, view } = begin();
    const posts = settings('a');
    router.write(aResult(), null, posts);
    await clock.advance(1_000_000);
    router.write(aResult({ tick: clock.now() }), null, posts);
    await clock.advance(20_000);
    expect(view('a')).toMatchObject({ produced: 2, delivered: 2, pending: 0 });
  });

  it('loses nothing of a destination that is idle but still has something to get', async () => {
    const clock = new ManualClock(TICK);
    const { router, view, made } = begin({ clock });
    router.write(aResult(), null, settings('a'));
    const sink = made.get('a') as KeepingSink;
    sink.maxAgeMs = 86_400_000;
    sink.answer = () => ({ kind: 'retry', reason: 'down' });
    await clock.advance(3_600_000);
    expect(view('a')).toMatchObject({ pending: 1, failing: 'down' });
    sink.answer = () => ({ kind: 'delivered' });
    await clock.advance(120_000);
    expect(view('a')).toMatchObject({ pending: 0, delivered: 1 });
  });

  it('counts what is left at the end as lost where there is no state folder', async () => {
    const clock = new ManualClock(TICK);
    const sink = new KeepingSink(clock, 'a');
    const { router, view, end } = begin({ clock, poolWide: [sink] });
    sink.answer = () => ({ kind: 'retry', reason: 'down' });
    router.write(aResult(), null, undefined);
    await end();
    expect(view('a')).toMatchObject({ produced: 1, pending: 0 });
    expect(view('a')?.dropped.shutdown).toBe(1);
  });

  it('does not make a state folder before there is something to keep', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'router-'));
    const stateFolder = path.join(folder.path, 'state');
    const { router, end } = begin({ stateFolder });
    router.write(aResult(), null, undefined);
    await end();
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('finds again what a former process left, once a check names its destination', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'router-'));
    const stateFolder = path.join(folder.path, 'state');
    const clock = new ManualClock(TICK);
    const before = begin({ clock, stateFolder });
    before.router.write(aResult({ check: 'left/' }), null, settings('a'));
    const down = before.made.get('a') as KeepingSink;
    down.answer = () => ({ kind: 'retry', reason: 'down' });
    await before.end();
    expect(before.view('a')).toMatchObject({ pending: 1 });

    const after = begin({ clock, stateFolder });
    expect(after.view('unclaimed')).toMatchObject({ produced: 1, pending: 1 });
    after.router.write(aResult({ check: 'new/' }), null, settings('a'));
    await clock.advance(60_000);
    const items = after.made.get('a')?.items ?? [];
    const byCheck = new Map(
      items.map(({ emission, body }) => [
        emission.kind === 'result' && emission.result.check,
        body,
      ]),
    );
    expect(byCheck).toEqual(
      new Map([
        ['left/', { rendered: 'a' }],
        ['new/', { rendered: 'a' }],
      ]),
    );
    expect(after.view('unclaimed')).toBeUndefined();
    await after.end();
  });

  it('gives up after a day what nobody claims', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'router-'));
    const stateFolder = path.join(folder.path, 'state');
    const clock = new ManualClock(TICK);
    const before = begin({ clock, stateFolder });
    before.router.write(aResult(), null, settings('gone'));
    const gone = before.made.get('gone') as KeepingSink;
    gone.answer = () => ({ kind: 'denied', reason: '401' });
    await before.end();
    const after = begin({ clock, stateFolder });
    await clock.advance(27 * 3_600_000);
    expect(after.view('unclaimed')).toMatchObject({ produced: 1, pending: 0 });
    expect(after.view('unclaimed')?.dropped.window).toBe(1);
    await after.end();
  });

  it('posts watcher’s own health where a self block says, and reports it to the pool-wide sinks', async () => {
    const clock = new ManualClock(TICK);
    const sink = new KeepingSink(clock, 'pool-wide');
    const { router, view } = begin({ clock, poolWide: [sink] });
    router.report(aSelfEmission());
    router.post(aSelfEmission(), settings('self'));
    await clock.advance(20_000);
    expect(view('pool-wide')).toMatchObject({ produced: 1, delivered: 1 });
    expect(view('self')).toMatchObject({ produced: 1, delivered: 1 });
  });

  it('sends state changes that a former process left before its repeats', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'router-'));
    const stateFolder = path.join(folder.path, 'state');
    const clock = new ManualClock(TICK);
    const down = new KeepingSink(clock, 'a');
    down.answer = () => ({ kind: 'retry', reason: 'down' });
    const before = begin({ clock, stateFolder, poolWide: [down] });
    before.router.write(aResult({ check: 'repeat/' }), null, undefined);
    before.router.write(aResult({ check: 'change/' }), before.change, undefined);
    await before.end();
    expect(before.said).toContain('results are kept for the next start');
    const up = new KeepingSink(clock, 'a');
    const after = begin({ clock, stateFolder, poolWide: [up] });
    await clock.advance(60_000);
    const checks = up.items.map(
      ({ emission }) => emission.kind === 'result' && emission.result.check,
    );
    expect(checks).toEqual(['change/', 'repeat/']);
    expect(after.router.spool).toMatchObject({ folder: stateFolder, problem: null });
    await after.end();
    expect(after.said).toEqual([]);
  });

  it('says what is lost with the process, and that there is no problem with a folder that is not there', async () => {
    const clock = new ManualClock(TICK);
    const sink = new KeepingSink(clock, 'a');
    sink.answer = () => ({ kind: 'retry', reason: 'down' });
    const { router, said, end } = begin({ clock, poolWide: [sink] });
    router.write(aResult(), null, undefined);
    expect(router.spool).toMatchObject({ folder: null, problem: null });
    await end();
    expect(said).toEqual([expect.stringContaining('without a state folder')]);
  });

  it('ends the connections of what it closes, and sets no timer after its end', async () => {
    const clock = new ManualClock(TICK);
    const { router, made, end } = begin({ clock });
    router.write(aResult(), null, settings('a'));
    await clock.advance(1_000_000);
    expect(made.get('a')?.closed).toBe(1);
    await end();
    await expect(clock.until(new Promise(() => {}), 10)).rejects.toThrow('not done');
  });

  it('costs no check anything when rendering a post fails by a defect of ours', () => {
    const { router, said } = begin();
    const broken = {
      on: 'every',
      get endpoint(): never {
        throw new Error('defect');
      },
    } as PostSettings;
    router.write(aResult(), null, broken);
    expect(said).toEqual([expect.stringContaining('defect')]);
  });
});
