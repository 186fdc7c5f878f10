import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TlsSettings } from '../../../src/shared/domain/check.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { endOf, makeCertificate } from '../../support/certificates.ts';
import { closingWith, response, startHttpTarget } from '../../support/http-target.ts';
import { aProbe, gist, observe } from '../../support/probing.ts';

const madeAt = Date.now();
const authority = makeCertificate({ isAuthority: true, name: 'root' });
const middle = makeCertificate({ isAuthority: true, name: 'middle', issuer: authority });
const stranger = makeCertificate({ isAuthority: true, name: 'stranger' });
const good = makeCertificate({ issuer: authority });

const probe = aProbe();
const resources = new AsyncDisposableStack();
let ca = '';
let tls: TlsSettings = {};

beforeAll(async () => {
  const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'tls-')));
  ca = path.join(folder.path, 'ca.pem');
  await writeFile(ca, authority.cert);
  const cert = path.join(folder.path, 'client.pem');
  await writeFile(cert, good.cert);
  const key = path.join(folder.path, 'client.key');
  await writeFile(key, good.key);
  tls = { ca, cert, key };
});
afterAll(async () => {
  await probe.close();
  await resources.disposeAsync();
});

const fine = closingWith(response('fine'));

const observeTls = async (served: TlsOptions, settings: TlsSettings, host = 'localhost') => {
  await using target = await startHttpTarget(fine, { tls: served });
  return await observe(probe, `${host}:${target.port}/`, { scheme: 'https', tls: settings });
};

const pair = ({ cert, key }: { cert: string; key: string }): TlsOptions => ({ cert, key });

const REFUSED: readonly (readonly [what: string, served: TlsOptions, says: RegExp])[] = [
  [
    'an expired certificate',
    pair(makeCertificate({ issuer: authority, fromDays: -9, untilDays: -1 })),
    /has expired/,
  ],
  [
    'a certificate of tomorrow',
    pair(makeCertificate({ issuer: authority, fromDays: 1 })),
    /not valid yet/,
  ],
  [
    'a certificate for another host',
    pair(makeCertificate({ issuer: authority, hosts: ['example.com'] })),
    /for another host/,
  ],
  ['a self-signed certificate', pair(makeCertificate()), /self-signed/],
  ['a certificate of a stranger', pair(makeCertificate({ issuer: stranger })), /issuer/],
  ['a chain without its middle', pair(makeCertificate({ issuer: middle })), /issuer/],
  [
    'TLS 1.1',
    { ...pair(good), minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    /TLS version/,
  ],
  [
    'a demand for a client certificate',
    { ...pair(good), requestCert: true, rejectUnauthorized: true, ca: stranger.cert },
    /client certificate/,
  ],
  ['HTTP/2 only', { ...pair(good), ALPNProtocols: ['h2'] }, /HTTP\/1\.1/],
];

describe('a TLS target', () => {
  it('answers when its certificate is good, and tells until when it is', async () => {
    const observation = await observeTls(pair(good), { ca });
    expect(gist(observation)).toBe('200 fine');
    expect(Math.abs((observation.certificateExpiresAt ?? 0) - endOf(30, madeAt))).toBeLessThan(
      2000,
    );
    expect(observation.phases.tls).toBeGreaterThan(0);
  });

  it('answers when the chain is complete', async () => {
    const leaf = makeCertificate({ issuer: middle });
    const chain = { cert: leaf.cert + middle.cert, key: leaf.key };
    expect(gist(await observeTls(chain, { ca }))).toBe('200 fine');
  });

  it('answers under its address when the certificate names it', async () => {
    expect(gist(await observeTls(pair(good), { ca }, '127.0.0.1'))).toBe('200 fine');
  });

  it('answers to the client certificate that it demands', async () => {
    const demanding = {
      ...pair(good),
      requestCert: true,
      rejectUnauthorized: true,
      ca: authority.cert,
    };
    expect(gist(await observeTls(demanding, tls))).toBe('200 fine');
  });

  it.each(REFUSED)('fails with %s', async (_, served, says) => {
    const observation = await observeTls(served, { ca });
    expect(observation).toMatchObject({ kind: 'failure', code: 'tls' });
    expect(observation.kind === 'failure' && observation.detail).toMatch(says);
  });

  it('tells when the certificate that it refuses ended', async () => {
    const expired = makeCertificate({ issuer: authority, fromDays: -9, untilDays: -1 });
    const observation = await observeTls(pair(expired), { ca });
    expect(Math.abs((observation.certificateExpiresAt ?? 0) - endOf(-1, madeAt))).toBeLessThan(
      5000,
    );
  });

  it('answers with any certificate when the check is insecure', async () => {
    const bad = pair(makeCertificate({ hosts: ['example.com'], untilDays: -1, fromDays: -2 }));
    expect(gist(await observeTls(bad, { insecure: true }))).toBe('200 fine');
  });

  it('fails when it speaks plain HTTP', async () => {
    await using target = await startHttpTarget(fine, {
      onConnection: (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    });
    const observation = await observe(probe, `localhost:${target.port}/`, { scheme: 'https' });
    expect(observation).toMatchObject({
      code: 'tls',
      detail: expect.stringMatching(/not speak TLS/),
    });
  });

  it('fails with the phase when it stays silent', async () => {
    await using target = await startHttpTarget(fine);
    const request = { scheme: 'https', timeoutMs: 150 } as const;
    expect(gist(await observe(probe, `localhost:${target.port}/`, request))).toBe('timeout_tls');
  });

  it.each([
    ['closes', 'closed', (socket: { end(): void }) => socket.end()],
    ['resets', 'reset', (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ] as const)('fails when it %s in the handshake', async (_, says, act) => {
    await using target = await startHttpTarget(fine, {
      onConnection: (socket) => socket.once('data', () => act(socket)),
    });
    const observation = await observe(probe, `localhost:${target.port}/`, { scheme: 'https' });
    expect(gist(observation)).toBe(says);
  });

  it('is not at fault when this clock cannot be right', async () => {
    const in1970 = { ...systemClock, now: () => 1_000 };
    const lost = aProbe({ clock: in1970 });
    await using target = await startHttpTarget(fine, {
      tls: pair(makeCertificate({ issuer: authority, fromDays: 1 })),
    });
    const request = { scheme: 'https', tls: { ca } } as const;
    const observation = await observe(lost, `localhost:${target.port}/`, request);
    expect(gist(observation)).toBe('checker_clock');
    await lost.close();
  });

  it('is not at fault when the files of the check cannot be read', async () => {
    const observation = await observeTls(pair(good), { ca: '/nowhere/ca.pem' });
    expect(observation).toMatchObject({
      code: 'checker_settings',
      detail: 'tls: /nowhere/ca.pem: ENOENT',
    });
  });

  it('is asked for its certificate anew on each connection', async () => {
    await using target = await startHttpTarget(fine, { tls: pair(good) });
    const key = `localhost:${target.port}/`;
    const request = { scheme: 'https', tls: { ca } } as const;
    expect(gist(await observe(probe, key, request))).toBe('200 fine');
    const again = await observe(probe, key, request);
    expect(again.certificateExpiresAt).toBeDefined();
  });
});
