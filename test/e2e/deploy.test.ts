/** Files of deploy/ in the hands of the programs they are for. */

import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { cp, mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { programOf } from '../support/debian-packages.ts';
import { freePort } from '../support/free-ports.ts';
import { startProcess } from '../support/processes.ts';

const run = promisify(execFile);
const DEPLOY = path.resolve(import.meta.dirname, '../../deploy');
const RULES = path.join(DEPLOY, 'dashboards/prometheus-rules.yml');

const promtool = await programOf('promtool');
const etcd = await programOf('etcd');
const systemdAnalyze = await programOf('systemd-analyze');

const promtoolOn = (...args: readonly string[]) =>
  run(promtool?.file ?? '', [...args], { env: { ...process.env, ...promtool?.env } });

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

/** Values of a minute each, as promtool writes them: `1x10` is 1 and ten more of it. */
const SERIES = {
  quiet: {
    'watcher_scaling_workers{pool="watcher"}': '3x30',
    'watcher_scaling_limit_hit{pool="watcher"}': '0x30',
    'watcher_scaling_oldest_waiting_seconds{pool="watcher"}': '0x30',
    'watcher_scaling_futile{pool="watcher"}': '0x30',
    'watcher_scaling_quarantined_jobs{pool="watcher"}': '0x30',
    'watcher_scaling_lateness_p99_seconds{pool="watcher"}': '0.02x30',
    'watcher_checks_behind{instance="a"}': '0x30',
    'watcher_workers_lost_total{instance="a"}': '5x30',
    'watcher_heartbeat_age_seconds{instance="a"}': '2x30',
    'watcher_checks_unaccounted{instance="a"}': '0x30',
    'watcher_sink_failing{instance="a",sink="datadog series"}': '0x30',
    'watcher_sink_dropped_total{instance="a",sink="datadog series",reason="window"}': '7x30',
    'watcher_config_file_errors{instance="a",file="a.yml",code="E101"}': '0x30',
  },
  loud: {
    'watcher_scaling_limit_hit{pool="watcher"}': '1x30',
    'watcher_scaling_oldest_waiting_seconds{pool="watcher"}': '0+60x30',
    'watcher_scaling_futile{pool="watcher"}': '1x30',
    'watcher_scaling_quarantined_jobs{pool="watcher"}': '1x30',
    'watcher_scaling_lateness_p99_seconds{pool="watcher"}': '6x30',
    'watcher_checks_behind{instance="a"}': '2x30',
    'watcher_workers_lost_total{instance="a"}': '5x15 6x15',
    'watcher_heartbeat_age_seconds{instance="a"}': '0+60x30',
    'watcher_checks_unaccounted{instance="a"}': '1x30',
    'watcher_sink_failing{instance="a",sink="datadog series"}': '1x30',
    'watcher_sink_dropped_total{instance="a",sink="datadog series",reason="window"}': '7+1x30',
    'watcher_config_file_errors{instance="a",file="a.yml",code="E101"}': '1x30',
  },
} as const;

const alertsOf = async (): Promise<readonly string[]> => {
  const { groups } = parse(await readFile(RULES, 'utf8')) as Rules;
  return groups.flatMap(({ rules }) => rules).map(({ alert }) => alert);
};

/** Which alerts of the file fire after twenty minutes of these series, by Prometheus' own evaluation. */
const firing = async (series: Readonly<Record<string, string>>): Promise<readonly string[]> => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'rules-'));
  const file = path.join(folder.path, 'tests.yml');
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  // It expects silence of each: promtool names those that are not silent.
  const silence = (await alertsOf()).map((alert) => ({
    eval_time: '20m',
    alertname: alert,
    exp_alerts: [],
  }));
  const tests = [{ interval: '1m', input_series: input, alert_rule_test: silence }];
  const test = { rule_files: [RULES], evaluation_interval: '1m', tests };
  await writeFile(file, stringify(test));
  const output = await promtoolOn('test', 'rules', file).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => `${stdout}${stderr}`,
  );
  return [...output.matchAll(/alertname: (\w+)/g)].map(([, alert = '']) => alert);
};

describe.skipIf(promtool === null)('deploy/dashboards, read by Prometheus', () => {
  it('has rules that it takes', async () => {
    const { stdout } = await promtoolOn('check', 'rules', RULES);
    expect(stdout).toContain('SUCCESS');
  });

  it('alarms about each trouble, and about nothing in a quiet pool', async () => {
    expect(await firing(SERIES.quiet)).toEqual([]);
    expect((await firing(SERIES.loud)).toSorted()).toEqual((await alertsOf()).toSorted());
  });

  it('has a dashboard of queries that it understands', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'queries-'));
    const dashboard = JSON.parse(
      await readFile(path.join(DEPLOY, 'dashboards/grafana-dashboard.json'), 'utf8'),
    ) as { panels: { targets?: { expr: string }[] }[] };
    const queries = dashboard.panels.flatMap(({ targets = [] }) => targets);
    expect(queries.length).toBeGreaterThan(15);
    const rules = queries.map(({ expr }, index) => ({ record: `query:${index}`, expr }));
    const file = path.join(folder.path, 'rules.yml');
    await writeFile(file, stringify({ groups: [{ name: 'queries', rules }] }));
    await promtoolOn('check', 'rules', file);
  });
});

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly environment: Readonly<Record<string, string>> }>
  >;
}

const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3'] as const;

/** As the one-shot service of compose.yml makes them; once more, to see what a second start changes. */
const certificatesIn = async (folder: string) => {
  const make = () => run(path.join(DEPLOY, 'certificates.sh'), [folder, ...MEMBERS]);
  const clientIn = () => readFile(path.join(folder, 'watcher/etcd-client.pem'), 'utf8');
  await make();
  const before = await clientIn();
  await make();
  return { before, after: await clientIn() };
};

describe('deploy/certificates.sh', () => {
  it('makes certificates of one authority, for one purpose each, and keeps what is still good', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'certificates-'));
    const { before, after } = await certificatesIn(folder.path);
    expect(after).toBe(before);
    const certificate = async (file: string) =>
      new X509Certificate(await readFile(path.join(folder.path, file)));
    const authority = await certificate('watcher/etcd-ca.pem');
    const server = await certificate('etcd/server.pem');
    const client = await certificate('watcher/etcd-client.pem');
    for (const one of [server, client, await certificate('etcd/peer.pem')])
      expect(one.verify(authority.publicKey)).toBe(true);
    for (const name of [...MEMBERS, 'localhost']) expect(server.checkHost(name)).toBe(name);
    expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    const { mode } = await stat(path.join(folder.path, 'watcher/pool.key'));
    expect(mode & 0o777).toBe(0o600);
    const key = await readFile(path.join(folder.path, 'watcher/pool.key'), 'utf8');
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

const ask = (url: string, tls: Readonly<Record<string, Buffer>>): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request(url, { ...tls, timeout: 1_000 }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    })
      .on('error', reject)
      .end();
  });

describe.skipIf(etcd === null)('deploy/compose.yml, its etcd on this machine', () => {
  it('is a cluster of three that lets in who has the certificate of watcher, and nobody else', async () => {
    await using resources = new AsyncDisposableStack();
    const folder = resources.use(await mkdtempDisposable(path.join(tmpdir(), 'compose-')));
    await certificatesIn(folder.path);
    const ports = new Map<string, number>();
    for (const member of MEMBERS)
      for (const port of ['2379', '2380']) ports.set(`${member}:${port}`, await freePort());
    const compose = parse(await readFile(path.join(DEPLOY, 'compose.yml'), 'utf8'), {
      merge: true,
    }) as Compose;
    /** The names of containers become ports of this machine, and their folders those of this test. */
    const here = (member: string, value: string): string =>
      value
        .replaceAll('0.0.0.0', member)
        .replace(/(etcd-\d):(\d+)/g, (name) => `127.0.0.1:${ports.get(name)}`)
        .replace('/etc/etcd', path.join(folder.path, 'etcd'))
        .replace('/var/lib/etcd', path.join(folder.path, member));
    const members = MEMBERS.map((member) => {
      const settings = Object.entries(compose.services[member]?.environment ?? {});
      const env = Object.fromEntries(settings.map(([name, value]) => [name, here(member, value)]));
      return resources.use(
        startProcess([etcd?.file ?? ''], { stdout: 'ignore', env: { ...etcd?.env, ...env } }),
      );
    });
    const keys = async (name: string) => readFile(path.join(folder.path, 'watcher', name));
    const ca = await keys('etcd-ca.pem');
    const tls = { ca, cert: await keys('etcd-client.pem'), key: await keys('etcd-client.key') };
    const url = `https://127.0.0.1:${ports.get('etcd-3:2379')}/health`;
    let answer: Answer | null = null;
    while (answer?.status !== 200) {
      answer = await ask(url, tls).catch(() => null);
      await sleep(100);
    }
    expect(answer.body).toContain('true');
    await expect(ask(url, { ca })).rejects.toThrow();
    // Every setting is one that etcd knows.
    const said = members.map((member) => member.stderr()).join('');
    expect(said).not.toMatch(/unrecognized environment variable/i);
  });
});

const UNITS = [
  'systemd/watcher-worker@.service',
  'systemd/watcher-admin.service',
  'terraform/watcher-drain.service',
] as const;

/** Of a copy of the unit, changed; as an instance where it is a template. */
const analysed = async (
  unit: string,
  args: readonly string[],
  change: (text: string) => string = (text) => text,
) => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'units-'));
  for (const one of UNITS) {
    const name = path.basename(one).replace('@.', '@1.');
    await cp(path.join(DEPLOY, one), path.join(folder.path, name));
  }
  const file = path.join(folder.path, path.basename(unit).replace('@.', '@1.'));
  await writeFile(file, change(await readFile(file, 'utf8')));
  const env = { ...process.env, ...systemdAnalyze?.env };
  return await run(systemdAnalyze?.file ?? '', [...args, file], { env });
};

/** In tenths: the most that `threshold` lets pass. */
const MOST_EXPOSED = 15;
const SECURITY = ['security', '--offline=true', '--no-pager', `--threshold=${MOST_EXPOSED}`];

describe.skipIf(systemdAnalyze === null)('the units of deploy, read by systemd', () => {
  it.each(UNITS)('%s exposes no more than 1.5 of 10', async (unit) => {
    const { stdout } = await analysed(unit, SECURITY);
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSED / 10);
  });

  it('would expose more without a line of theirs', async () => {
    const bare = (text: string) => text.replace(/^(?:DynamicUser|SystemCall).*$/gm, '');
    await expect(analysed(UNITS[0], SECURITY, bare)).rejects.toThrow();
  });

  it.each(UNITS)('%s has no line that systemd would not understand', async (unit) => {
    // The programs are not installed here.
    const known = (text: string) => text.replace(/^(Exec\w+=)\S+/gm, '$1/bin/true');
    const { stderr } = await analysed(unit, ['verify', '--recursive-errors=no'], known);
    expect(stderr).toBe('');
  });
});
