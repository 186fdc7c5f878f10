import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpProbe } from '../../../src/worker/probes/http.ts';
import { standStill, startDistantTarget } from '../../support/distant-target.ts';
import {
  type HttpTarget,
  keepingWith,
  response,
  type Script,
  startHttpTarget,
} from '../../support/http-target.ts';
import { aProbe, gist, observe } from '../../support/probing.ts';

const fine = keepingWith(response('fine'));

/** A good first answer; then the connection is closed when the next request arrives on it. */
const closingOnTheSecond: Script = (received) => {
  if (received.served === 0) fine(received);
  else received.socket.end();
};

const resettingOnTheSecond: Script = (received) => {
  if (received.served === 0) fine(received);
  else received.socket.resetAndDestroy();
};

let probe: HttpProbe;
beforeEach(() => {
  probe = aProbe();
});
afterEach(() => probe.close());

const again = (target: HttpTarget, request = {}) =>
  observe(probe, `${target.at}/`, { connection: 'reuse', ...request });

describe('a kept connection', () => {
  it('serves the next run to the same origin', async () => {
    await using target = await startHttpTarget(fine);
    const first = await again(target);
    const second = await again(target);
    expect([gist(first), gist(second), target.connections()]).toEqual(['200 fine', '200 fine', 1]);
    expect(Object.keys(first.phases)).toContain('connect');
    expect(Object.keys(second.phases)).not.toContain('connect');
    expect(probe.metClosed()).toBe(0);
  });

  it('does not serve another origin, family or TLS setting', async () => {
    await using target = await startHttpTarget(fine);
    await again(target);
    await again(target, { ipFamily: 4 });
    await observe(probe, `localhost:${target.port}/`, { connection: 'reuse' });
    expect(target.connections()).toBe(3);
  });

  it('does not serve two runs at a time', async () => {
    await using target = await startHttpTarget(fine);
    await Promise.all([again(target), again(target), again(target)]);
    expect(target.connections()).toBe(3);
    await Promise.all([again(target), again(target), again(target)]);
    expect(target.connections()).toBe(3);
  });

  it.each([
    ['closes', closingOnTheSecond],
    ['resets', resettingOnTheSecond],
  ])('is replaced once when the target %s it under a request', async (_, script) => {
    await using target = await startHttpTarget(script);
    await again(target);
    const second = await again(target);
    expect(second).toMatchObject({ kind: 'answer', statusCode: 200, retried: true });
    expect([target.connections(), probe.metClosed()]).toEqual([2, 1]);
  });

  it('is replaced without a word when the target closed it long before', async () => {
    let end = () => {};
    await using target = await startHttpTarget((received) => {
      end = () => received.socket.end();
      fine(received);
    });
    await again(target);
    end();
    await idleClosed();
    const second = await again(target);
    expect(second).not.toHaveProperty('retried');
    expect([gist(second), target.connections(), probe.metClosed()]).toEqual(['200 fine', 2, 0]);
  });

  it('is replaced for any method when the request cannot have gone out on it', async () => {
    await using target = await startDistantTarget({
      kind: 'answers',
      afterMs: 0,
      closesAfterMs: 10,
    });
    const key = `${target.at}/`;
    await observe(probe, key, { connection: 'reuse' });
    // The end comes while nobody looks, and is seen only when the next run wants the connection.
    await new Promise((resolve) => setImmediate(resolve));
    standStill(200);
    const second = await observe(probe, key, { connection: 'reuse', method: 'POST', body: 'x' });
    expect(second).toMatchObject({ kind: 'answer', retried: true });
    expect(probe.metClosed()).toBe(1);
  });

  it('is not replaced a second time', async () => {
    await using target = await startHttpTarget(closingOnTheSecond);
    await again(target);
    target.answer(({ socket }) => socket.end());
    expect(gist(await again(target))).toBe('closed');
    expect(target.connections()).toBe(2);
  });

  it('is not replaced for a method that may not be sent twice', async () => {
    await using target = await startHttpTarget(closingOnTheSecond);
    await again(target);
    expect(gist(await again(target, { method: 'POST', body: 'x' }))).toBe('closed');
    expect(target.requests()).toHaveLength(2);
  });

  it.each([
    ['ends', 'truncated', (socket: Socket) => socket.end()],
    ['is reset', 'reset', (socket: Socket) => socket.resetAndDestroy()],
  ] as const)('is not replaced when it %s once a response has begun', async (_, says, act) => {
    await using target = await startHttpTarget((received) => {
      if (received.served === 0) return fine(received);
      const { socket } = received;
      // The beginning must be on its way before the reset.
      return socket.write('HTTP/1.1 200 OK\r\ncontent-le', () => setImmediate(() => act(socket)));
    });
    await again(target);
    expect(gist(await again(target))).toBe(says);
    expect(target.connections()).toBe(1);
  });

  it('is given up when the target says that it closes', async () => {
    await using target = await startHttpTarget(({ socket }) =>
      socket.end(response('fine', { connection: 'close' })),
    );
    await again(target);
    expect(await again(target)).not.toHaveProperty('retried');
    expect([target.connections(), probe.metClosed()]).toEqual([2, 0]);
  });

  it('is given up by the oldest idle origin when there are too many', async () => {
    const small = aProbe({ keptConnections: 2 });
    await using target = await startHttpTarget(fine, { address: '0.0.0.0' });
    const visit = (last: number) =>
      observe(small, `127.0.0.${last}:${target.port}/`, { connection: 'reuse' });
    for (const last of [1, 2, 3]) await visit(last);
    for (const last of [3, 2]) await visit(last);
    expect(target.connections()).toBe(3);
    await visit(1);
    expect(target.connections()).toBe(4);
    await small.close();
  });
});

/** Until this process has seen the end of an idle connection. */
async function idleClosed(): Promise<void> {
  await using beacon = await startHttpTarget(fine);
  const fresh = aProbe();
  await observe(fresh, `${beacon.at}/`);
  await fresh.close();
}
