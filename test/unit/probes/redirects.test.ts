import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import {
  closingWith,
  type Received,
  response,
  type Script,
  startHttpTarget,
} from '../../support/http-target.ts';
import { aProbe, gist, observe, tableResolver } from '../../support/probing.ts';

const probe = aProbe({
  secrets: createSecrets({ clock: systemClock, env: { TOKEN: 's3cret' } }),
  resolver: tableResolver({ localhost: ['127.0.0.1'], rebound: ['169.254.169.254'] }),
});
afterAll(() => probe.close());

const redirecting =
  (location: string, status = 302): Script =>
  ({ socket }) =>
    socket.end(response('', { location }, `${status} Moved`));

/** Redirects `/` and answers anything else with the request itself. */
const echoing =
  (location: string, status = 302): Script =>
  (received) => {
    if (received.path === '/') redirecting(location, status)(received);
    else echo(received);
  };

const echo = ({ socket, head, body }: Received): void => {
  socket.end(response(`${head}\n${body}`));
};

describe('a redirect', () => {
  it.each([
    ['a path', '/b?c=d', '/b?c=d'],
    ['a relative path', 'b', '/b'],
    ['a fragment', '/b#c', '/b'],
    ['spaces and odd characters', '/b c/ü', '/b%20c/%C3%BC'],
  ])('is followed when it is %s', async (_, location, path) => {
    await using target = await startHttpTarget(echoing(location));
    const said = gist(await observe(probe, `${target.at}/`, { followRedirects: 1 }));
    expect(said).toContain(`200 GET ${path} HTTP/1.1`);
  });

  it('is judged itself when none is to be followed', async () => {
    await using target = await startHttpTarget(redirecting('/b'));
    expect(gist(await observe(probe, `${target.at}/`, { followRedirects: 0 }))).toBe('302');
  });

  it('without a location is the answer', async () => {
    await using target = await startHttpTarget(closingWith(response('', {}, '302 Found')));
    expect(gist(await observe(probe, `${target.at}/`, { followRedirects: 3 }))).toBe('302');
  });

  it('is followed as often as the check allows, and no more', async () => {
    await using target = await startHttpTarget(redirecting('/'));
    expect(gist(await observe(probe, `${target.at}/`, { followRedirects: 5 }))).toBe(
      'redirect_limit',
    );
    expect(target.requests()).toHaveLength(6);
  });

  it.each([
    [301, 'GET', 'GET', ''],
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [302, 'PUT', 'PUT', 'body'],
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [303, 'HEAD', 'HEAD', ''],
    [307, 'POST', 'POST', 'body'],
    [308, 'PUT', 'PUT', 'body'],
  ])('%i turns %s into %s', async (status, method, becomes, body) => {
    await using target = await startHttpTarget(echoing('/b', status));
    const request = {
      method,
      followRedirects: 1,
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: 'body' }),
    };
    await observe(probe, `${target.at}/`, {
      ...request,
      headers: [['content-type', 'text/plain']],
    });
    const second = target.requests()[1] ?? '';
    expect(second).toMatch(new RegExp(`^${becomes} /b `));
    expect(second.includes('content-type') && second.includes('content-length')).toBe(body !== '');
  });

  it('keeps its connection where connections are kept', async () => {
    await using target = await startHttpTarget(({ socket, path }) => {
      socket.write(path === '/' ? response('', { location: '/b' }, '302 Found') : response('fine'));
    });
    const request = { followRedirects: 1, connection: 'reuse' } as const;
    expect(gist(await observe(probe, `${target.at}/`, request))).toBe('200 fine');
    expect(target.connections()).toBe(1);
  });

  it('adds its time to the phases', async () => {
    await using target = await startHttpTarget(echoing('/b'));
    const { durationMs, phases } = await observe(probe, `${target.at}/`, { followRedirects: 1 });
    const sum = Object.values(phases).reduce((total, ms) => total + ms, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(durationMs);
  });
});

const SECRETS = {
  headers: [
    ['Authorization', 'Bearer plain'],
    ['Cookie', 'session=plain'],
    ['X-Key', 'k-${env:TOKEN}'],
    ['X-Plain', 'open'],
  ],
  followRedirects: 3,
} as const;

describe('secrets across a redirect', () => {
  it('go on within the origin', async () => {
    await using target = await startHttpTarget(echoing('/b'));
    const said = gist(await observe(probe, `${target.at}/`, SECRETS));
    expect(said).toContain('x-key: k-s3cret');
    expect(said).toContain('authorization: Bearer plain');
  });

  it.each([
    ['another port', (port: number) => `http://127.0.0.1:${port}/b`],
    ['another host', (port: number) => `http://localhost:${port}/b`],
  ])('stay behind for %s, open headers do not', async (_, place) => {
    await using other = await startHttpTarget(echo);
    await using target = await startHttpTarget(redirecting(place(other.port)));
    const said = gist(await observe(probe, `${target.at}/`, SECRETS));
    expect(said).toContain('x-plain: open');
    expect(said).toContain(`host: ${new URL(place(other.port)).host}\r\n`);
    expect(said).not.toMatch(/authorization|cookie|x-key|s3cret/i);
  });

  it('stay behind for good, even when the road leads back', async () => {
    await using target = await startHttpTarget((received) => {
      if (received.path === '/') redirecting(`http://localhost:${target.port}/b`)(received);
      else if (received.path === '/b') redirecting(`http://127.0.0.1:${target.port}/c`)(received);
      else echo(received);
    });
    const said = gist(await observe(probe, `${target.at}/`, SECRETS));
    expect(said).toContain('GET /c');
    expect(said).not.toMatch(/authorization|cookie|x-key/i);
  });

  it('credentials of the check stay behind, too', async () => {
    await using other = await startHttpTarget(echo);
    await using target = await startHttpTarget(redirecting(`http://${other.at}/b`));
    const auth = { kind: 'basic', username: 'u', password: '${env:TOKEN}' } as const;
    const said = gist(await observe(probe, `${target.at}/`, { auth, followRedirects: 1 }));
    expect(said).not.toMatch(/authorization/i);
    expect(target.requests()[0]).toContain(`authorization: Basic ${btoa('u:s3cret')}`);
  });

  it('in a body are not sent to another origin at all', async () => {
    await using other = await startHttpTarget(echo);
    await using target = await startHttpTarget(redirecting(`http://${other.at}/b`, 307));
    const request = { method: 'POST', body: '{"key":"${env:TOKEN}"}', followRedirects: 1 };
    expect(gist(await observe(probe, `${target.at}/`, request))).toBe('redirect_refused');
    expect(other.connections()).toBe(0);
  });
});

describe('a redirect that leads where watcher never goes', () => {
  it.each([
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'data:text/plain,x',
    'javascript:alert(1)',
    'ftp://127.0.0.1/',
    'unix:/run/x.sock',
    'http://user:pa55@127.0.0.1/',
    'http://127.0.0.1:0/',
    'http://127.0.0.1:65536/',
    'http://[::1',
    'http://169.254.169.254/latest/meta-data/?token=t0ken',
    'http://metadata.google.internal/',
    'http://rebound/',
    'http://0.0.0.0/',
  ])('%s is refused, and not repeated in words', async (location) => {
    await using target = await startHttpTarget(redirecting(location));
    const observation = await observe(probe, `${target.at}/`, { followRedirects: 3 });
    expect(observation).toMatchObject({ kind: 'failure', code: 'redirect_refused' });
    expect(observation.kind === 'failure' && observation.detail).not.toMatch(/t0ken|pa55/);
  });
});
