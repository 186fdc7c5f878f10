import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../../src/shared/domain/check.ts';
import { parseConnectTo } from '../../../src/shared/rules/connect-to.ts';
import type { Reach } from '../../../src/shared/rules/offering.ts';
import type { HttpProbe } from '../../../src/worker/probes/http.ts';
import type { Resolver } from '../../../src/worker/probes/resolver.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { startDistantTarget } from '../../support/distant-target.ts';
import { closingWith, response, startHttpTarget } from '../../support/http-target.ts';
import { ManualClock, settled } from '../../support/manual-clock.ts';
import { aProbe, aRequest, tableResolver } from '../../support/probing.ts';

const probe = aProbe();
afterAll(() => probe.close());

const endpoint = (on: HttpProbe, key: string, request: Partial<HttpRequest> = {}) =>
  on.endpointOf(key, on.prepare(aRequest(request)));

const reach = (on: HttpProbe, key: string, request: Partial<HttpRequest> = {}): Promise<Reach> =>
  new Promise((resolve) => {
    endpoint(on, key, request)?.reach(resolve);
  });

const fine = closingWith(response('fine'));

/** A port of loopback at which nobody listens. */
const aClosedPort = async (): Promise<number> => {
  const target = await startHttpTarget(fine);
  await target[Symbol.asyncDispose]();
  return target.port;
};

/** Takes connections and never says a word. */
const aMuteServer = async () => {
  const sockets = new Set<Socket>();
  const connections: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    connections.push(socket);
    socket.on('error', () => {}).resume();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as { port: number }).port,
    /** Resolves when there have been so many connections. */
    connected: async (count: number): Promise<void> => {
      while (connections.length < count) await once(server, 'connection');
    },
    /** Resolves when the connection is closed by the other side. */
    closed: async (index: number): Promise<void> => {
      const socket = connections[index] as Socket;
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

const neverAnswers: Resolver = { resolve: () => {}, close: () => {} };

describe('an endpoint', () => {
  it('is what a check connects to, whatever its path and query', () => {
    expect(endpoint(probe, 'shop.example/a?b=c', { scheme: 'https' })?.origin).toBe(
      'https://shop.example:443',
    );
    const url = 'http://other.example:8080/health';
    expect(endpoint(probe, 'shop.example/', { url })?.origin).toBe('http://other.example:8080');
  });

  it('does not exist where the check cannot be carried out', () => {
    expect(endpoint(probe, 'a name', { url: 'ftp://shop.example/' })).toBeNull();
  });
});

describe('reaching an endpoint', () => {
  it('closes the connection at once', async () => {
    await using target = await aMuteServer();
    expect(await reach(probe, `127.0.0.1:${target.port}/`)).toBe('reached');
    await target.connected(1);
    await target.closed(0);
  });

  it('connects, and sends no request', async () => {
    await using target = await startHttpTarget(fine);
    expect(await reach(probe, `${target.at}/`)).toBe('reached');
    expect(target.connections()).toBe(1);
    expect(target.requests()).toEqual([]);
  });

  it('goes where connect-to sends the runs', async () => {
    await using target = await startHttpTarget(fine);
    const connectTo = parseConnectTo([`shop.example:80:127.0.0.1:${target.port}`]);
    const elsewhere = aProbe({ connectTo });
    expect(await reach(elsewhere, 'shop.example/')).toBe('reached');
    await elsewhere.close();
  });

  it('fails where the connection is refused', async () => {
    expect(await reach(probe, `127.0.0.1:${await aClosedPort()}/`)).toBe('unreached');
  });

  it('fails where the name does not exist', async () => {
    expect(await reach(probe, 'nowhere.example/')).toBe('unreached');
  });

  it('fails where nobody takes the connection within 3 s', async () => {
    await using target = await startDistantTarget({ kind: 'accepts nothing' });
    const fillers = [1, 2].map(() => connect(target.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(fillers.map((socket) => once(socket, 'connect')));
    const clock = new ManualClock();
    const timed = aProbe({ clock });
    const outcomes: Reach[] = [];
    endpoint(timed, `${target.at}/`)?.reach((outcome) => outcomes.push(outcome));
    await clock.advance(2_990);
    expect(outcomes).toEqual([]);
    await clock.advance(10);
    await settled();
    expect(outcomes).toEqual(['unreached']);
    await timed.close();
    for (const socket of fillers) socket.destroy();
  });

  it('succeeds with a certificate that no run would accept: somebody is there', async () => {
    await using target = await startHttpTarget(fine, { tls: makeCertificate() });
    expect(await reach(probe, `localhost:${target.port}/`, { scheme: 'https' })).toBe('reached');
  });

  it('succeeds where the answer is not TLS', async () => {
    await using target = await startHttpTarget(fine, {
      onConnection: (socket) => socket.end('220 mail.example\r\n'),
    });
    expect(await reach(probe, `localhost:${target.port}/`, { scheme: 'https' })).toBe('reached');
  });

  it('fails where the handshake is never answered', async () => {
    await using target = await aMuteServer();
    const clock = new ManualClock();
    const resolver = tableResolver({ localhost: ['127.0.0.1'] });
    const timed = aProbe({ clock, resolver });
    const key = `localhost:${target.port}/`;
    expect(await reach(timed, key)).toBe('reached');
    const outcome = reach(timed, key, { scheme: 'https' });
    await target.connected(2);
    await clock.advance(3_000);
    expect(await outcome).toBe('unreached');
    await timed.close();
  });

  it('says nothing of an endpoint whose address is never probed', async () => {
    expect(await reach(probe, '169.254.169.254/')).toBe('unsure');
    const cautious = aProbe({ denied: () => true });
    expect(await reach(cautious, '127.0.0.1:1/')).toBe('unsure');
    await cautious.close();
  });

  it('says nothing where the resolver is dead', async () => {
    const clock = new ManualClock();
    const deaf = aProbe({ clock, resolver: neverAnswers });
    const outcome = reach(deaf, 'shop.example/');
    await clock.advance(3_000);
    expect(await outcome).toBe('unsure');
    await deaf.close();
  });

  it('says nothing where the event loop stood still meanwhile', async () => {
    await using target = await aMuteServer();
    const clock = new ManualClock();
    const timed = aProbe({ clock });
    const outcome = reach(timed, `localhost:${target.port}/`, { scheme: 'https' });
    await clock.advance(100);
    clock.stall(2_900);
    await clock.advance(1);
    expect(await outcome).toBe('unsure');
    await timed.close();
  });

  it('closes the connection when it is aborted', async () => {
    await using target = await aMuteServer();
    const clock = new ManualClock();
    const timed = aProbe({ clock });
    const abort = endpoint(timed, `localhost:${target.port}/`, { scheme: 'https' })?.reach(
      () => {},
    );
    await target.connected(1);
    abort?.();
    await target.closed(0);
    await timed.close();
  });

  it('tells nobody once it is aborted', async () => {
    const outcomes: Reach[] = [];
    endpoint(probe, 'nowhere.example/')?.reach((outcome) => outcomes.push(outcome))();
    const clock = new ManualClock();
    const deaf = aProbe({ clock, resolver: neverAnswers });
    endpoint(deaf, 'shop.example/')?.reach((outcome) => outcomes.push(outcome))();
    await clock.advance(10_000);
    expect(outcomes).toEqual([]);
    await deaf.close();
  });
});
