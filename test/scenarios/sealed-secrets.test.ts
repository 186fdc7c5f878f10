/** Check files with secrets in them, a real etcd, and what somebody who reads all of it finds. */

import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Publisher } from '../../src/admin/publisher.ts';
import type { InlineSecrets } from '../../src/shared/config/check-file.ts';
import { FolderLoader } from '../../src/shared/config/folder.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { type EtcdStore, openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition } from '../../src/shared/domain/check.ts';
import { systemClock as clock } from '../../src/shared/runtime/clock.ts';
import { systemRandom as random } from '../../src/shared/runtime/random.ts';
import { withSecrets } from '../../src/shared/secrets/positions.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import { type PoolKey, readPoolKey, sealerOf } from '../../src/shared/secrets/sealing.ts';
import { startEtcd } from '../support/etcd.ts';
import { hitsIn } from '../support/secret-forms.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

const aSecret = (): string => `sk/"${randomBytes(15).toString('base64')}" +&`;
const secrets = {
  ...{ basic: aSecret(), bearer: aSecret(), header: aSecret(), cookie: aSecret() },
  ...{ key: aSecret(), awsKey: aSecret(), awsSecret: aSecret() },
};

const checkOf = (name: string, keys: Readonly<Record<string, unknown>>): string =>
  `${name}.example.com/: ${JSON.stringify({ cron_schedule: '* * * * *', ...keys })}\n`;
const FOLDER: Readonly<Record<string, string>> = {
  'auth.yml':
    checkOf('basic', { auth: { basic: { username: 'me', password: secrets.basic } } }) +
    checkOf('bearer', { auth: { bearer: secrets.bearer } }),
  'headers.yml': checkOf('headers', {
    headers: { 'X-Api-Key': secrets.header, Cookie: secrets.cookie, Accept: 'text/plain' },
  }),
  'posts.yml': checkOf('posts', {
    post_endpoint: {
      url: 'https://hooks.example.com/',
      post_api_key: { param_name: 'key', param_value: secrets.key, in: 'header' },
    },
    post_service: {
      ...{ service: 'aws-cloudwatch', aws_region: 'eu-west-1' },
      ...{ aws_key: secrets.awsKey, aws_secret: secrets.awsSecret },
    },
  }),
  'references.yml': checkOf('references', { auth: { bearer: '$' + '{env:TOKEN}' } }),
};

interface Pair {
  readonly key: string;
  readonly value: string;
}

/** Every key of etcd, whoever wrote it, as it stands and inflated where it can be. */
const dump = async (): Promise<Readonly<Record<string, string>>> => {
  const all = { key: 'AA==', range_end: 'AA==' };
  const { kvs = [] } = (await etcd?.members[0].post('kv/range', all)) ?? {};
  return Object.fromEntries(
    (kvs as readonly Pair[]).flatMap(({ key, value }) => {
      const bytes = Buffer.from(value ?? '', 'base64');
      const name = Buffer.from(key, 'base64').toString();
      return [
        [name, `${name} ${bytes.toString('latin1')}`],
        [`${name} inflated`, inflated(bytes)],
      ];
    }),
  );
};

const inflated = (bytes: Buffer): string => {
  try {
    return inflateRawSync(bytes).toString();
  } catch {
    return '';
  }
};

describe.skipIf(etcd === null)('a pool whose check files have secrets in them', () => {
  let dir: string;
  let store: EtcdStore;
  let keys: Keys;
  let pools = 0;

  const put = (name: string, text: string) => writeFile(path.join(dir, 'configs', name), text);
  const keyFile = async (): Promise<string> => {
    const file = path.join(dir, 'pool.key');
    await writeFile(file, `${randomBytes(32).toString('base64')}\n`);
    return file;
  };
  const anAdmin = (poolKey: PoolKey | null) => {
    const inlineSecrets: InlineSecrets = poolKey ? 'allow' : 'refuse';
    const publishing = new Publishing({ store, keys });
    const publisher = new Publisher({ publishing, clock, random, sealer: sealerOf(poolKey) });
    const term = { condition: { key: keys.leader, modRevision: 0 } };
    return {
      publisher,
      loader: new FolderLoader(path.join(dir, 'configs'), { clock, inlineSecrets }),
      publish: (catalogue: Catalogue) => publisher.publish(catalogue, term),
    };
  };
  const stored = async (): Promise<readonly CheckDefinition[]> => {
    const publishing = new Publishing({ store, keys });
    const found: CheckDefinition[] = [];
    for await (const { jobset } of publishing.jobsets())
      found.push(...(await publishing.definitions(jobset.id)));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  };

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'watcher-sealed-'));
    await mkdir(path.join(dir, 'configs'));
    for (const [name, text] of Object.entries(FOLDER)) await put(name, text);
    pools += 1;
    keys = new Keys(`/pool-${pools}/`);
    store = await openEtcdStore({ endpoints: etcd?.endpoints ?? [], clock, random });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  it('has none of them in etcd, in any form, and each of them where a worker uses it', async () => {
    const file = await keyFile();
    const { loader, publish } = anAdmin(readPoolKey(file));
    const catalogue = await loader.load();
    expect(await publish(catalogue)).toMatchObject({ checks: 5, written: 1 });

    const found = await dump();
    expect(Object.values(found).join()).toContain('hooks.example.com');
    expect(hitsIn(Object.values(secrets), found)).toEqual([]);
    expect(hitsIn([catalogue.digest], found)).toEqual([]);

    const values: string[] = [];
    const resolver = createSecrets({
      ...{ clock, env: { TOKEN: 'of the worker' }, poolKey: readPoolKey(file) },
      onValue: (value) => values.push(value),
    });
    const resolve = ({ spec, ...rest }: CheckDefinition) => ({
      ...rest,
      spec: withSecrets(spec, (text) => resolver.resolve(text)),
    });
    const written = catalogue.definitions.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect((await stored()).map(resolve)).toEqual(written.map(resolve));
    expect(new Set(values)).toEqual(new Set([...Object.values(secrets), 'of the worker']));
  });

  it('finds an unchanged folder unchanged, also after a restart of the admin', async () => {
    const file = await keyFile();
    const first = anAdmin(readPoolKey(file));
    await first.publish(await first.loader.load());
    const { revision } = await store.snapshot(keys.jobsets);
    const second = anAdmin(readPoolKey(file));
    expect(await second.publish(await second.loader.load())).toMatchObject({ written: 0 });
    expect((await store.snapshot(keys.jobsets)).revision).toBe(revision);
  });

  it('leaves out by name what it cannot seal, and publishes the rest', async () => {
    const { loader, publish } = anAdmin(null);
    const catalogue = await loader.load();
    const refused = catalogue.diagnostics.map(({ code, file }) => [code, path.basename(file)]);
    expect(new Set(refused.map(String))).toEqual(
      new Set(['E514,auth.yml', 'E514,headers.yml', 'E514,posts.yml']),
    );
    await publish(catalogue);
    expect((await stored()).map(({ key }) => key)).toEqual(['references.example.com/']);
    await put('references.yml', checkOf('references', { auth: { bearer: secrets.bearer } }));
    expect(await publish(await loader.load())).toMatchObject({ checks: 1, written: 0 });
    expect(hitsIn(Object.values(secrets), await dump())).toEqual([]);
  });
});
