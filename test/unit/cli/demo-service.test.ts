import { describe, expect, it } from 'vitest';
import { startDemoService } from '../../../src/cli/demo-service.ts';
import { ManualClock } from '../../support/manual-clock.ts';

describe('the demo service', () => {
  it.each([
    ['/healthy', 200, 'ok'],
    ['/broken', 200, 'database unreachable'],
    ['/elsewhere', 404, 'no such route'],
  ])('answers %s with %i and %s', async (path, status, text) => {
    await using service = await startDemoService(new ManualClock());
    const response = await fetch(`http://127.0.0.1:${service.port}${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status: text });
  });

  it('fails every third time where it is flaky', async () => {
    await using service = await startDemoService(new ManualClock());
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) {
      statuses.push((await fetch(`http://127.0.0.1:${service.port}/flaky`)).status);
    }
    expect(statuses).toEqual([200, 200, 503, 200, 200, 503]);
  });

  it('takes its time where it is slow', async () => {
    const clock = new ManualClock();
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const after: ManualClock['after'] = (ms, fn) => {
      resolve();
      return clock.after(ms, fn);
    };
    await using service = await startDemoService({ after });
    const response = fetch(`http://127.0.0.1:${service.port}/slow`);
    await asked;
    await clock.advance(600);
    expect((await response).status).toBe(200);
  });
});
