import diagnostics from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closingWith, keepingWith, response, startHttpTarget } from '../../support/http-target.ts';
import { aProbe, gist, observe, tableResolver } from '../../support/probing.ts';

/** Hosts of a URL that lead where watcher never goes, by any road that the URL parser knows. */
const SPELLINGS = [
  ...['169.254.169.254', '2852039166', '0xa9fea9fe', '0xA9FEA9FE', '025177524776'],
  ...['0251.0376.0251.0376', '0xa9.0xfe.0xa9.0xfe', '169.254.43518', '169.16689662'],
  ...['0xa9.254.0251.254', '169.254.169.254.', '１６９.２５４.１６９.２５４', '169。254。169。254'],
  ...['%31%36%39.254.169.254', '169%2E254%2E169%2E254', '0000251.254.169.254'],
  ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[::FFFF:A9FE:A9FE]'],
  ...['[0:0:0:0:0:ffff:a9fe:a9fe]', '[0000:0000:0000:0000:0000:ffff:169.254.169.254]'],
  ...['[::169.254.169.254]', '[::a9fe:a9fe]', '[64:ff9b::169.254.169.254]', '[64:ff9b::a9fe:a9fe]'],
  ...['[2002:a9fe:a9fe::]', '[2002:a9fe:a9fe::1]'],
  ...['169.254.170.2', '2852039170', '0xa9feaa02', '[::ffff:169.254.170.2]'],
  ...['168.63.129.16', '0xa83f8110', '[::ffff:a83f:8110]'],
  ...['100.100.100.200', '0x646464c8', '1684301000', '[::ffff:6464:64c8]'],
  ...['[fd00:ec2::254]', '[FD00:0EC2::0254]', '[fd00:ec2:0:0:0:0:0:254]', '[fd20:ce::254]'],
  ...['metadata.google.internal', 'METADATA.Google.Internal', 'metadata.google.internal.'],
  ...['metadata.goog', 'rebinding.example', 'mapped.example', 'mixed.example'],
  ...[
    '0.0.0.0',
    '0',
    '0x0',
    '00',
    '0.1',
    '0.255.255.255',
    '[::]',
    '[0:0:0:0:0:0:0:0]',
    '[::ffff:0:0]',
  ],
  ...['169.254.0.1', '169.254.1', '[fe80::1]', '[FEBF::1]', '[::ffff:169.254.0.1]'],
  ...['224.0.0.1', '239.255.255.250', '0xe0000001', '[ff02::1]', '[ff0e::1]', '[::ffff:e000:1]'],
  ...['255.255.255.255', '4294967295', '0xffffffff', '[::ffff:ffff:ffff]'],
];

const probe = aProbe({
  resolver: tableResolver({
    'rebinding.example': ['169.254.169.254'],
    'mapped.example': ['::ffff:169.254.169.254'],
    'mixed.example': ['169.254.170.2', 'fe80::1', '0.0.0.0'],
  }),
});
afterAll(() => probe.close());

/** Ports of all connections that this process has begun. */
const attempts: unknown[] = [];
const note = (message: unknown): void => {
  attempts.push(message);
};
beforeEach(() => {
  attempts.length = 0;
  diagnostics.subscribe('net.client.socket', note);
});
afterEach(() => {
  diagnostics.unsubscribe('net.client.socket', note);
});

describe('an address that is never probed', () => {
  it('has sixty spellings', () => {
    expect(new Set(SPELLINGS).size).toBeGreaterThanOrEqual(60);
  });

  it.each(SPELLINGS)('is not connected to as http://%s/', async (host) => {
    expect(gist(await observe(probe, `${host}/`))).toBe('address_refused');
    expect(attempts).toHaveLength(0);
  });

  it.each(SPELLINGS)('is not connected to as https://%s/', async (host) => {
    expect(gist(await observe(probe, `${host}/`, { scheme: 'https' }))).toBe('address_refused');
    expect(attempts).toHaveLength(0);
  });

  it.each(SPELLINGS)('is not connected to when redirected to %s', async (host) => {
    await using target = await startHttpTarget(
      closingWith(response('', { location: `http://${host}/x` }, '307 There')),
    );
    const observation = await observe(probe, `${target.at}/`, { followRedirects: 3 });
    expect(gist(observation)).toBe('redirect_refused');
    expect(attempts).toHaveLength(1);
  });

  it('is passed over when a name has another address as well', async () => {
    await using target = await startHttpTarget(closingWith(response('fine')));
    const mixed = aProbe({
      resolver: tableResolver({ 'mixed.example': ['169.254.169.254', '127.0.0.1'] }),
    });
    expect(gist(await observe(mixed, `mixed.example:${target.port}/`))).toBe('200 fine');
    expect(attempts).toHaveLength(1);
    await mixed.close();
  });

  it('can be one of watcher itself, by address and port', async () => {
    await using target = await startHttpTarget(closingWith(response('fine')));
    const asked: string[] = [];
    const careful = aProbe({
      resolver: tableResolver({ 'self.example': ['::ffff:127.0.0.1'] }),
      denied: (address, port) => {
        asked.push(address);
        return port === target.port;
      },
    });
    expect(gist(await observe(careful, `self.example:${target.port}/`))).toBe('address_refused');
    expect(asked).toEqual(['127.0.0.1']);
    expect(attempts).toHaveLength(0);
    await careful.close();
  });

  it('can be so for some paths only, on a kept connection too', async () => {
    await using target = await startHttpTarget(keepingWith(response('fine')));
    const careful = aProbe({ denied: (_, __, path) => path !== '/healthz' });
    const say = async (path: string) =>
      gist(await observe(careful, target.at + path, { connection: 'reuse' }));
    expect(await say('/healthz')).toBe('200 fine');
    expect(await say('/api')).toBe('address_refused');
    expect(await say('/healthz')).toBe('200 fine');
    expect(target.requests()).toHaveLength(2);
    await careful.close();
  });

  it('stays so under --connect-to', async () => {
    const elsewhere = aProbe({ connectTo: () => ({ host: '169.254.169.254', port: 80 }) });
    expect(gist(await observe(elsewhere, 'example.com/'))).toBe('address_refused');
    expect(attempts).toHaveLength(0);
    await elsewhere.close();
  });
});
