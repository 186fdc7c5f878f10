import { connect, type Socket } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import { parseConnectTo } from '../../../src/shared/rules/connect-to.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import { connectProblem, exchangeProblem } from '../../../src/worker/probes/failures.ts';
import { startDistantTarget } from '../../support/distant-target.ts';
import {
  closingWith,
  keepingWith,
  type Received,
  response,
  startHttpTarget,
} from '../../support/http-target.ts';
import { aProbe, aRequest, gist, observe, tableResolver } from '../../support/probing.ts';

const probe = aProbe({
  resolver: tableResolver({
    localhost: ['127.0.0.1'],
    'second.example': ['127.0.0.2', '127.0.0.1'],
    'none.example': ['127.0.0.2', '127.0.0.3'],
    'xn--bcher-kva.example': ['127.0.0.1'],
  }),
});
afterAll(() => probe.close());

const echo = ({ socket, head, body }: Received): void => {
  socket.end(response(`${head}\n${body}`));
};

describe('a request', () => {
  it('is sent as the check says', async () => {
    await using target = await startHttpTarget(echo);
    const said = gist(
      await observe(probe, `localhost:${target.port}/a?b=c`, {
        method: 'POST',
        headers: [['X-One', '1']],
        body: 'body',
      }),
    );
    expect(said.split('\r\n')).toEqual([
      '200 POST /a?b=c HTTP/1.1',
      `host: localhost:${target.port}`,
      'connection: close',
      'user-agent: watcher',
      'accept: */*',
      'x-one: 1',
      'content-length: 4\nbody',
    ]);
  });

  it('does not leave when its run is aborted at that moment', async () => {
    const heard: string[] = [];
    await using target = await startHttpTarget(({ head, socket }) => {
      heard.push(head);
      socket.end(response('ok'));
    });
    const prepared = probe.prepare(aRequest({ method: 'POST', body: 'act' }));
    await new Promise<void>((resolve) => {
      const abort = probe.start(
        `${target.at}/once`,
        prepared,
        () => {},
        () => {
          abort();
          resolve();
        },
      );
    });
    await observe(probe, `${target.at}/after`);
    expect(heard.map((head) => head.split(' ')[1])).toEqual(['/after']);
  });

  it('has the headers of the check in place of our own', async () => {
    await using target = await startHttpTarget(echo);
    const headers = [
      ['Host', 'other.example'],
      ['User-Agent', 'mine'],
    ] as const;
    const said = gist(await observe(probe, `${target.at}/`, { headers }));
    expect(said).toContain('host: other.example');
    expect(said).toContain('user-agent: mine');
    expect(said).not.toContain('user-agent: watcher');
  });

  it('goes to the URL of the check where it has one', async () => {
    await using target = await startHttpTarget(echo);
    const url = `http://${target.at}/from/url`;
    expect(gist(await observe(probe, 'a name', { url }))).toContain('GET /from/url ');
  });

  it('goes to names of any alphabet, in punycode', async () => {
    await using target = await startHttpTarget(echo);
    const observation = await observe(probe, `Bücher.example:${target.port}/`);
    expect(gist(observation)).toContain(`host: xn--bcher-kva.example:${target.port}`);
    expect(observation.host).toBe('xn--bcher-kva.example');
  });

  it('goes to IPv6 addresses', async () => {
    await using target = await startHttpTarget(echo, { address: '::1' });
    expect(gist(await observe(probe, `[::1]:${target.port}/`))).toContain(
      `host: [::1]:${target.port}`,
    );
  });

  it.each([
    ['', 'not a URL'],
    ['localhost:0/', 'port 0'],
    ['localhost:65536/', 'not a URL'],
    ['a b/', 'not a URL'],
    ['user:pass@localhost/', 'user name'],
    [`${'a.'.repeat(127)}example/`, 'too long'],
    ['[fe80::1%25eth0]/', 'not a URL'],
  ])('is not made from the key "%s"', async (key, why) => {
    const observation = await observe(probe, key);
    expect(observation).toMatchObject({
      code: 'checker_settings',
      detail: expect.stringContaining(why),
    });
  });

  it.each([
    ['a header name', [['x y', '1']]],
    ['a header value', [['x', '1\r\nhost: evil']]],
    ['a header that frames the message', [['transfer-encoding', 'chunked']]],
    ['an upgrade', [['upgrade', 'websocket']]],
  ] as const)('is not made with %s that HTTP forbids', async (_, headers) => {
    await using target = await startHttpTarget(echo);
    expect(gist(await observe(probe, `${target.at}/`, { headers }))).toBe('checker_settings');
    expect(target.requests()).toEqual([]);
  });

  it('is not made without its secret, and the failure does not repeat it', async () => {
    const observation = await observe(probe, 'localhost:1/', {
      headers: [['x-key', 'prefix-${env:NO_SUCH_VARIABLE}']],
    });
    expect(observation).toMatchObject({ code: 'checker_secret' });
    expect(observation.kind === 'failure' && observation.detail).not.toContain('prefix');
  });

  it('is not made with a secret that breaks HTTP, and the failure does not repeat it', async () => {
    const env = { TOKEN: 'two\r\nlines' };
    const careless = aProbe({ secrets: createSecrets({ clock: systemClock, env }) });
    await using target = await startHttpTarget(echo);
    const observation = await observe(careless, `${target.at}/`, {
      headers: [['x-key', '${env:TOKEN}']],
    });
    expect(observation).toMatchObject({ code: 'checker_settings' });
    expect(observation.kind === 'failure' && observation.detail).not.toContain('lines');
    await careless.close();
  });
});

describe('a connection', () => {
  it('that is refused is the fault of the target', async () => {
    const observation = await observe(probe, 'localhost:1/');
    expect(observation).toMatchObject({ code: 'refused', host: 'localhost' });
  });

  it('goes to the next address of a name when one refuses', async () => {
    await using target = await startHttpTarget(closingWith(response('fine')));
    expect(gist(await observe(probe, `second.example:${target.port}/`))).toBe('200 fine');
  });

  it('goes to the next address of a name when one hangs', async () => {
    await using hanging = await startDistantTarget({ kind: 'accepts nothing' });
    const { port } = hanging;
    await using other = await startHttpTarget(closingWith(response('fine')), {
      address: '127.0.0.2',
      port,
    });
    // The queue of the one that hangs is filled first.
    const fill = [1, 2, 3].map(() => connect(port, '127.0.0.1').on('error', () => {}));
    const names = tableResolver({ 'a.example': ['127.0.0.1', '127.0.0.2'] });
    const patient = aProbe({ resolver: names });
    const observation = await observe(patient, `a.example:${port}/`, { timeoutMs: 400 });
    expect([gist(observation), other.connections()]).toEqual(['200 fine', 1]);
    expect(observation.phases.connect).toBeGreaterThan(190);
    for (const socket of fill) socket.destroy();
    await patient.close();
  });

  it('is failed by the first address when all refuse', async () => {
    const observation = await observe(probe, 'none.example:1/');
    expect(observation).toMatchObject({
      code: 'refused',
      detail: expect.stringContaining('127.0.0.2'),
    });
  });

  it('leaves the port of this machine free when the target does not close it', async () => {
    let end = 'none';
    const watchEnd = (socket: Socket): void => {
      socket.on('error', (error: NodeJS.ErrnoException) => {
        end = error.code ?? end;
      });
    };
    await using target = await startHttpTarget(keepingWith(response('fine')), {
      onConnection: watchEnd,
    });
    expect(gist(await observe(probe, `${target.at}/`))).toBe('200 fine');
    await expect.poll(() => end).toBe('ECONNRESET');
  });

  it('that fails locally is never the fault of the target', () => {
    const codeFor = (code: string, address = '192.0.2.1') =>
      connectProblem(Object.assign(new Error('x'), { code }), address, 80).code;
    expect(codeFor('EADDRNOTAVAIL')).toBe('checker_ports');
    expect(codeFor('EADDRNOTAVAIL', '2001:db8::1')).toBe('checker_no_route');
    for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']) {
      expect(codeFor(code)).toBe('checker_resources');
    }
    for (const code of ['ENETUNREACH', 'EINVAL', 'EACCES', 'EPERM']) {
      expect(codeFor(code)).toBe('checker_no_route');
    }
    expect(codeFor('EHOSTUNREACH')).toBe('host_unreachable');
    expect(codeFor('ETIMEDOUT')).toBe('timeout_connect');
    expect(codeFor('EWHATEVER')).toBe('checker_error');
    const late = Object.assign(new Error('x'), { code: 'ETIMEDOUT' });
    expect(exchangeProblem(late, 'nothing').code).toBe('reset');
  });
});

describe('--connect-to', () => {
  it('changes where a run connects to, and nothing else', async () => {
    await using target = await startHttpTarget(echo);
    const connectTo = parseConnectTo([`example.com:80:127.0.0.1:${target.port}`]);
    const led = aProbe({ connectTo });
    expect(gist(await observe(led, 'example.com/x'))).toContain('host: example.com\r\n');
    expect(gist(await observe(led, 'example.com:8080/'))).toBe('dns_not_found');
    await led.close();
  });

  it.each([
    ['a.example:80:b.example:81', 'a.example', 80, 'b.example:81'],
    ['a.example:80:b.example:81', 'a.example', 81, null],
    ['a.example:80:b.example:81', 'c.example', 80, null],
    ['A.example::b.example:', 'a.example', 443, 'b.example:443'],
    ['::b.example:', 'any.example', 443, 'b.example:443'],
    [':443::8443', 'a.example', 443, 'a.example:8443'],
    ['[::1]:80:[::2]:81', '::1', 80, '::2:81'],
  ])('%s leads %s:%i to %s', (rule, host, port, place) => {
    const found = parseConnectTo([rule])(host, port);
    expect(found && `${found.host}:${found.port}`).toBe(place);
  });

  it.each(['', 'a', 'a:80', 'a:80:b', 'a:b:c:d', 'a:80:b:99999', '::1:80:a:1', 'a:80::', ':::'])(
    'refuses "%s" with the form that it wants',
    (rule) => {
      expect(() => parseConnectTo([rule])).toThrow(WatcherError);
      expect(() => parseConnectTo([rule])).toThrow(/HOST:PORT:ADDRESS:PORT/);
    },
  );
});
