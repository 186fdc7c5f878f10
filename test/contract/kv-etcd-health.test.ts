/** What the store says about the health of a real etcd. */

import { writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { endOf, makeCertificate } from '../support/certificates.ts';
import { startEtcd } from '../support/etcd.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const etcd = await startEtcd({ flags: ['--quota-backend-bytes', '4194304'] });
afterAll(() => etcd?.[Symbol.asyncDispose]());

const open = (endpoints: readonly string[], tls?: { certFile: string }) =>
  openEtcdStore({
    endpoints,
    clock: systemClock,
    random: { ...systemRandom, next: () => 0 },
    ...(tls ? { tls } : {}),
  });
const put = (bytes: number) =>
  [{ kind: 'put', key: 'health', value: Buffer.alloc(bytes) }] as const;

describe.skipIf(etcd === null)('the health of etcd', { timeout: 20_000 }, () => {
  const [member] = etcd?.members ?? [];
  const endpoint = member?.endpoint ?? '';

  it('tells of each member its version, size and alarms, and who does not answer', async () => {
    await using store = await open([endpoint, 'http://127.0.0.1:9']);
    const { revision } = await store.snapshot('health');
    const { members, quotaBytes, certificateEndsAt } = await store.health();
    expect(members).toEqual([
      {
        endpoint,
        answer: {
          version: expect.stringMatching(/^3\.\d+\.\d+$/),
          dbBytes: expect.any(Number),
          alarms: [],
          revision,
        },
      },
      { endpoint: 'http://127.0.0.1:9', answer: null },
    ]);
    expect(members[0]?.answer?.dbBytes).toBeGreaterThan(10_000);
    expect({ quotaBytes, certificateEndsAt }).toEqual({
      quotaBytes: 2 * 1024 ** 3,
      certificateEndsAt: null,
    });
  });

  it('tells whether old revisions have ever been forgotten', async () => {
    await using store = await open([endpoint]);
    await store.commit([], put(1));
    expect((await store.health()).hasBeenCompacted).toBe(false);
    await etcd?.compact();
    expect((await store.health()).hasBeenCompacted).toBe(true);
  });

  it('tells when the client certificate ends', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'health-'));
    const certFile = path.join(folder.path, 'cert.pem');
    const madeAt = Date.now();
    writeFileSync(certFile, makeCertificate({ untilDays: 5 }).cert);
    await using store = await open([endpoint], { certFile });
    const { certificateEndsAt } = await store.health();
    expect(Math.abs((certificateEndsAt ?? 0) - endOf(5, madeAt))).toBeLessThan(2000);
  });

  it('shows the alarm when the quota is used up', async () => {
    await using store = await open([endpoint]);
    while (
      await store.commit([], put(512 * 1024)).then(
        () => true,
        () => false,
      )
    );
    const { members } = await store.health();
    expect(members[0]?.answer?.alarms.join()).toContain('NOSPACE');
    await etcd?.makeRoom();
    expect((await store.health()).members[0]?.answer?.alarms).toEqual([]);
  });

  it('knows since when etcd does not answer, and why, until it does again', async () => {
    await using network = await FaultProxy.start(member?.port ?? 0);
    await using store = await open([network.endpoint]);
    expect(store.outage).toBe(null);
    network.mode = 'reset';
    network.cut();
    await store.snapshot('health').catch(() => undefined);
    const first = store.outage;
    await sleep(20);
    await store.snapshot('health').catch(() => undefined);
    expect(store.outage).toEqual({
      reason: expect.stringContaining(network.endpoint),
      since: first?.since,
    });
    network.mode = 'pass';
    while (store.outage !== null) await store.snapshot('health').catch(() => undefined);
  });
});
