/** The store on an etcd that talks TLS and asks its clients for certificates. */

import { writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import {
  failureOf,
  follow,
  hasEtcd,
  open,
  outage,
  PATIENT,
  put,
  start,
} from '../support/etcd-store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const KEY = '/tls/key';
const SECONDS = 1 / 86_400;

/** Etcd's own files, and a certificate for its clients. */
const filesIn = async (clientDays = 30) => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'etcd-tls-'));
  const file = (name: string, content: string): string => {
    const place = path.join(folder.path, name);
    writeFileSync(place, content);
    return place;
  };
  const authority = makeCertificate({ isAuthority: true, name: 'etcd CA' });
  const server = makeCertificate({ issuer: authority, name: 'etcd' });
  const clientFiles = (untilDays: number) => {
    const client = makeCertificate({ issuer: authority, name: 'watcher', untilDays });
    return { certFile: file('cert.pem', client.cert), keyFile: file('key.pem', client.key) };
  };
  const caFile = file('ca.pem', authority.cert);
  return {
    file,
    clientFiles,
    tls: { caFile, ...clientFiles(clientDays) },
    etcd: {
      tls: {
        cert: file('server.pem', server.cert),
        key: file('server-key.pem', server.key),
        clientCa: caFile,
      },
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
};

describe.skipIf(!hasEtcd)(
  'the store in etcd, over TLS',
  { timeout: 60_000, concurrent: true },
  () => {
    it('takes certificates on both sides, and says what is wrong with others', async () => {
      await using files = await filesIn();
      const { tls, file } = files;
      await using etcd = await start(files.etcd);
      const endpoints = etcd.members.map(({ port }) => `https://localhost:${port}`);
      await using store = await open(endpoints, { ...PATIENT, tls });
      expect((await store.commit([], [put(KEY)])).succeeded).toBe(true);
      const untrusted = outage(false, 'TLS failed');
      const otherCa = file('other.pem', makeCertificate({ isAuthority: true }).cert);
      expect(
        await failureOf(open(endpoints, { ...PATIENT, tls: { ...tls, caFile: otherCa } })),
      ).toEqual(untrusted);
      const { caFile } = tls;
      expect(await failureOf(open(endpoints, { ...PATIENT, tls: { caFile } }))).toEqual(untrusted);
      const missing = `${caFile}.missing`;
      expect(
        await failureOf(open(endpoints, { ...PATIENT, tls: { caFile: missing } })),
      ).toMatchObject({
        code: 'WCH_SETTINGS',
        message: expect.stringContaining(missing),
      });
      const keyFile = file('of-another.pem', makeCertificate().key);
      expect(
        await failureOf(open(endpoints, { ...PATIENT, tls: { ...tls, keyFile } })),
      ).toMatchObject({
        code: 'WCH_SETTINGS',
        message: expect.stringContaining(keyFile),
      });
    });

    it('reads its files anew when its certificate is no longer taken', async () => {
      await using files = await filesIn(4 * SECONDS);
      const { tls, file, clientFiles } = files;
      await using etcd = await start(files.etcd);
      await using network = await FaultProxy.start(etcd.members[0].port);
      await using store = await open([`https://localhost:${network.port}`], { ...PATIENT, tls });
      const lease = await store.lease(20_000);
      const { told } = follow(store, KEY, { after: 1 });
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      await sleep(5000);
      network.cut();
      const ended = await failureOf(store.commit([], []));
      expect(ended).toMatchObject({ code: 'WCH_STORE_UNAVAILABLE' });
      // Half-way through the exchange: a key that is none.
      file('key.pem', 'half a k');
      expect(await failureOf(store.commit([], []))).toMatchObject({
        code: 'WCH_STORE_UNAVAILABLE',
      });
      clientFiles(30);
      for (let i = 0; i < 200 && (await failureOf(store.commit([], []))) !== 'no failure'; i += 1)
        await sleep(20);
      await store.commit([], [put(KEY, '2')]);
      while (told.length < 2) await sleep(10);
      await lease.renew();
    });
  },
);
