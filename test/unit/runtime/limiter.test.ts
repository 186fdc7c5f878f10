import { expect, it } from 'vitest';
import { createLimiter } from '../../../src/shared/runtime/limiter.ts';

/** Work that starts, says so, and ends when it is told to. */
const aWork = () => {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  const run = () => {
    started.resolve();
    return ended.promise;
  };
  return { run, started: started.promise, end: () => ended.resolve('done') };
};

it('starts as many at a time as it has places, and no more, in the order of asking', async () => {
  const limiter = createLimiter({ concurrency: 2 });
  const works = Array.from({ length: 6 }, aWork);
  const order: number[] = [];
  const results = works.map((work, index) =>
    limiter.run(() => {
      order.push(index);
      return work.run();
    }),
  );
  for (let index = 0; index < works.length; index++) {
    await works[index + 1]?.started;
    expect(order.length).toBeLessThanOrEqual(index + 2);
    works[index]?.end();
    expect(await results[index]).toBe('done');
  }
  expect(order).toEqual([0, 1, 2, 3, 4, 5]);
});

it('hands on what the work rejects with, and gives its place to the next', async () => {
  const limiter = createLimiter({ concurrency: 1 });
  const failure = new Error('no');
  await expect(limiter.run(() => Promise.reject(failure))).rejects.toBe(failure);
  await expect(limiter.run(async () => 'next')).resolves.toBe('next');
});

it('lets what has started end when it is stopped, and rejects what waits or comes later', async () => {
  const limiter = createLimiter({ concurrency: 1 });
  const [first, second] = [aWork(), aWork()];
  const results = [limiter.run(first.run), limiter.run(second.run)];
  await first.started;
  limiter.stop();
  limiter.stop();
  await expect(results[1]).rejects.toThrow('stopped');
  await expect(limiter.run(async () => 'late')).rejects.toThrow('stopped');
  first.end();
  await expect(results[0]).resolves.toBe('done');
});

it('refuses more than 256 that wait, and keeps those', async () => {
  const limiter = createLimiter({ concurrency: 1 });
  const first = aWork();
  const running = limiter.run(first.run);
  await first.started;
  const settled = Array.from({ length: 257 }, () => limiter.run(async () => 'in time'));
  await expect(settled[256]).rejects.toThrow('dropped');
  first.end();
  await running;
  await expect(settled[0]).resolves.toBe('in time');
  limiter.stop();
  const outcomes = await Promise.allSettled(settled);
  expect(outcomes).toHaveLength(257);
});
