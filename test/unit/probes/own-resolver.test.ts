import { mkdtempDisposable, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { OwnResolver } from '../../../src/worker/probes/own-resolver.ts';
import type { IpFamily, Resolver } from '../../../src/worker/probes/resolver.ts';
import { systemResolver } from '../../../src/worker/probes/system-resolver.ts';
import { type DnsDouble, startDnsDouble } from '../../support/dns-double.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { aProbe, gist, observe } from '../../support/probing.ts';

const SECOND = 1_000;

/** The addresses, or the code of the problem; with a star when they came from the cache. */
const ask = (resolver: Resolver, host: string, family: IpFamily = 'any'): Promise<string> =>
  new Promise((resolve) => {
    resolver.resolve(host, family, ({ addresses, problem }, cached) => {
      resolve((problem?.code ?? addresses.join(' ')) + (cached ? ' *' : ''));
    });
  });

const inFolder = async (files: Readonly<Record<string, string>>) => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'dns-'));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(folder.path, name), text);
  }
  return folder;
};

const aResolver = (dns: DnsDouble, clock = new ManualClock(), folder = '/nowhere') =>
  new OwnResolver({
    clock,
    servers: [dns.at],
    hostsPath: path.join(folder, 'hosts'),
    resolvConfPath: path.join(folder, 'resolv.conf'),
  });

describe('the resolver', () => {
  it('gives IPv4 where the name has it, for checks of any family', async () => {
    await using dns = await startDnsDouble({
      'both.example': { addresses: ['127.0.0.2', '127.0.0.3', '::1'] },
      'six.example': { addresses: ['::2'] },
    });
    const resolver = aResolver(dns);
    expect(await ask(resolver, 'both.example')).toBe('127.0.0.2 127.0.0.3');
    expect(await ask(resolver, 'both.example', 6)).toBe('::1');
    expect(await ask(resolver, 'six.example')).toBe('::2');
    expect(await ask(resolver, 'six.example', 4)).toBe('dns_not_found');
    resolver.close();
  });

  it('tells a name that does not exist from a resolver that cannot tell', async () => {
    await using dns = await startDnsDouble({
      'broken.example': { error: 'SERVFAIL' },
      'refused.example': { error: 'REFUSED' },
      'empty.example': {},
    });
    const resolver = aResolver(dns);
    expect(await ask(resolver, 'none.example')).toBe('dns_not_found');
    expect(await ask(resolver, 'empty.example')).toBe('dns_not_found');
    expect(await ask(resolver, 'broken.example')).toBe('checker_resolver');
    expect(await ask(resolver, 'refused.example')).toBe('checker_resolver');
    expect(await ask(resolver, 'not..a.name')).toBe('checker_settings');
    resolver.close();
  });

  it('says so when nothing listens where the resolver should be', async () => {
    const resolver = new OwnResolver({ clock: new ManualClock(), servers: ['127.0.0.1:1'] });
    expect(await ask(resolver, 'a.example')).toBe('checker_resolver');
    resolver.close();
  });

  it('leaves a run to its own deadline when the resolver is silent', async () => {
    await using dns = await startDnsDouble({ 'silent.example': { silent: true } });
    const resolver = aResolver(dns);
    const probe = aProbe({ resolver });
    const observation = await observe(probe, 'silent.example/', { timeoutMs: 60 });
    expect(gist(observation)).toBe('checker_resolver');
    expect(Object.keys(observation.phases)).toEqual(['dns']);
    await probe.close();
    resolver.close();
  });

  it('believes an answer for its TTL', async () => {
    await using dns = await startDnsDouble({
      'a.example': { addresses: ['127.0.0.2'], ttlSeconds: 60 },
    });
    const clock = new ManualClock();
    const resolver = aResolver(dns, clock);
    await ask(resolver, 'a.example');
    await clock.advance(59 * SECOND);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.2 *');
    dns.set('a.example', { addresses: ['127.0.0.9'] });
    await clock.advance(1 * SECOND);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.9');
    resolver.close();
  });

  it.each([
    ['no less than 5 s', 0, 5],
    ['no more than 5 min', 86_400, 300],
  ])('believes an answer for %s', async (_, ttlSeconds, believedFor) => {
    await using dns = await startDnsDouble({
      'a.example': { addresses: ['127.0.0.2'], ttlSeconds },
    });
    const clock = new ManualClock();
    const resolver = aResolver(dns, clock);
    await ask(resolver, 'a.example');
    await clock.advance(believedFor * SECOND - 1);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.2 *');
    await clock.advance(1);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.2');
    resolver.close();
  });

  it('believes for 5 s that a name does not exist, and no failure at all', async () => {
    await using dns = await startDnsDouble({ 'broken.example': { error: 'SERVFAIL' } });
    const clock = new ManualClock();
    const resolver = aResolver(dns, clock);
    await ask(resolver, 'new.example');
    await ask(resolver, 'broken.example');
    for (const name of ['new.example', 'broken.example']) {
      dns.set(name, { addresses: ['127.0.0.2'] });
    }
    expect(await ask(resolver, 'new.example')).toBe('dns_not_found *');
    expect(await ask(resolver, 'broken.example')).toBe('127.0.0.2');
    await clock.advance(5 * SECOND);
    expect(await ask(resolver, 'new.example')).toBe('127.0.0.2');
    resolver.close();
  });

  it('asks once for all runs that wait for the same name', async () => {
    await using dns = await startDnsDouble({ 'a.example': { addresses: ['127.0.0.2'] } });
    const resolver = aResolver(dns);
    await Promise.all([1, 2, 3].map(() => ask(resolver, 'a.example')));
    expect(dns.questions).toEqual(['a.example A']);
    resolver.close();
  });
});

describe('the files of the system', () => {
  it('the hosts file comes before DNS, for both families', async () => {
    await using dns = await startDnsDouble({ 'b.example': { addresses: ['127.0.0.5'] } });
    await using folder = await inFolder({
      hosts:
        '127.0.0.2 A.example a # comment\n::1 a.example\n127.0.0.3 other\nnonsense a.example\n',
    });
    const resolver = aResolver(dns, new ManualClock(), folder.path);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.2 ::1 *');
    expect(await ask(resolver, 'a.example', 6)).toBe('::1 *');
    expect(await ask(resolver, 'b.example')).toBe('127.0.0.5');
    expect(dns.questions).toEqual(['b.example A']);
    resolver.close();
  });

  it('the hosts file is read again when it changes', async () => {
    await using dns = await startDnsDouble();
    await using folder = await inFolder({ hosts: '127.0.0.2 a.example\n' });
    const clock = new ManualClock();
    const resolver = aResolver(dns, clock, folder.path);
    expect(await ask(resolver, 'a.example')).toBe('127.0.0.2 *');
    await writeFile(path.join(folder.path, 'hosts'), '127.0.0.9 a.example\n');
    await utimes(path.join(folder.path, 'hosts'), 1, 1);
    await expect
      .poll(async () => {
        await clock.advance(5 * SECOND);
        return ask(resolver, 'a.example');
      })
      .toBe('127.0.0.9 *');
    resolver.close();
  });

  it('names without enough dots are searched for in the domains of resolv.conf', async () => {
    await using dns = await startDnsDouble({
      'db.two.example': { addresses: ['127.0.0.2'] },
      'a.b': { addresses: ['127.0.0.3'] },
    });
    await using folder = await inFolder({
      'resolv.conf': 'nameserver 192.0.2.1\nsearch one.example two.example.\noptions ndots:1\n',
    });
    const resolver = aResolver(dns, new ManualClock(), folder.path);
    expect(await ask(resolver, 'db')).toBe('127.0.0.2');
    expect(await ask(resolver, 'a.b')).toBe('127.0.0.3');
    expect(await ask(resolver, 'db.')).toBe('dns_not_found');
    expect(dns.questions.filter((question) => question.endsWith(' A'))).toEqual([
      ...['db.one.example A', 'db.two.example A', 'a.b A', 'db A'],
    ]);
    resolver.close();
  });

  it('more dots can be asked for, as Kubernetes does', async () => {
    await using dns = await startDnsDouble({
      'db.prod.svc.example': { addresses: ['127.0.0.2'] },
      'www.example': { addresses: ['127.0.0.3'] },
    });
    await using folder = await inFolder({ 'resolv.conf': 'search svc.example\noptions ndots:5\n' });
    const resolver = aResolver(dns, new ManualClock(), folder.path);
    expect(await ask(resolver, 'db.prod')).toBe('127.0.0.2');
    expect(await ask(resolver, 'www.example')).toBe('127.0.0.3');
    resolver.close();
  });

  it('a failure in the search ends it: the name may well exist', async () => {
    await using dns = await startDnsDouble({
      'db.one.example': { error: 'SERVFAIL' },
      db: { addresses: ['127.0.0.2'] },
    });
    await using folder = await inFolder({ 'resolv.conf': 'search one.example\n' });
    const resolver = aResolver(dns, new ManualClock(), folder.path);
    expect(await ask(resolver, 'db')).toBe('checker_resolver');
    resolver.close();
  });
});

describe('the resolver of the system', () => {
  it('knows localhost', async () => {
    expect(await ask(systemResolver, 'localhost', 4)).toBe('127.0.0.1');
  });
});
