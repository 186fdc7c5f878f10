import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtempDisposable, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const DEPLOY = path.resolve(import.meta.dirname, '../../../deploy');

/** Programs that only tell, in `calls`, how they were called; the text of each is a line of a shell. */
const aMachine = async (programs: Readonly<Record<string, string>>) => {
  const folder = await mkdtempDisposable(path.join(tmpdir(), 'machine-'));
  const calls = path.join(folder.path, 'calls');
  const bin = path.join(folder.path, 'bin');
  await mkdir(bin);
  await writeFile(calls, '');
  for (const [name, text] of Object.entries(programs)) {
    const file = path.join(bin, name);
    await writeFile(file, `#!/bin/bash\necho "${name} $*" >>'${calls}'\n${text}\n`);
    await chmod(file, 0o755);
  }
  return {
    root: folder.path,
    env: { PATH: `${bin}:${process.env['PATH']}` },
    calls: async () => (await readFile(calls, 'utf8')).split('\n').slice(0, -1),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
};

/** The metadata of an instance; it answers only who has fetched a token before. */
const metadata = async (states: readonly string[]) => {
  let asked = 0;
  const pages: Readonly<Record<string, () => string | undefined>> = {
    'instance-id': () => 'i-0123',
    'autoscaling/target-lifecycle-state': () => states[Math.min(asked++, states.length - 1)],
  };
  const answerTo = ({ method, url = '', headers }: IncomingMessage): string | null => {
    const isTimed = headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined;
    if (method === 'PUT' && url === '/latest/api/token' && isTimed) return 'a-token';
    if (headers['x-aws-ec2-metadata-token'] !== 'a-token') return null;
    return pages[url.replace('/latest/meta-data/', '')]?.() ?? null;
  };
  const server = createServer((request, response) => {
    const answer = answerTo(request);
    response.writeHead(answer === null ? 404 : 200).end(answer ?? '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const DRAIN = { REGION: 'eu-central-1', GROUP: 'workers', HOOK: 'workers-drain', PAUSE: '0.05' };
const COMPLETED =
  'aws autoscaling complete-lifecycle-action --region eu-central-1 --auto-scaling-group-name workers --lifecycle-hook-name workers-drain --instance-id i-0123 --lifecycle-action-result CONTINUE';

const drain = (env: Readonly<Record<string, string>>) =>
  run(path.join(DEPLOY, 'terraform/drain.sh'), {
    env: { ...process.env, ...DRAIN, ...env },
    // It waits for ever by itself: a test that fails must not leave it behind.
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });

/** The machine images of AWS have it; a machine that runs tests may not. */
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);
if (!hasCurl) console.warn('skipped: curl is not installed');

describe.skipIf(!hasCurl)('deploy/terraform/drain.sh', { timeout: 20_000 }, () => {
  it('stops the workers once the group wants the machine gone, and then lets it go', async () => {
    await using machine = await aMachine({ systemctl: '', aws: '' });
    using server = await metadata(['InService', 'InService', 'Terminated']);
    await drain({ ...machine.env, METADATA: server.url });
    expect(server.asked()).toBe(3);
    expect(await machine.calls()).toEqual(['systemctl stop watcher-worker@*.service', COMPLETED]);
  });

  it('says so again until it is heard', async () => {
    await using machine = await aMachine({
      systemctl: '',
      aws: '[[ $(grep -c complete-lifecycle "$(dirname "$0")/../calls") -ge 3 ]]',
    });
    using server = await metadata(['Terminated']);
    await drain({ ...machine.env, METADATA: server.url });
    const completed = (await machine.calls()).filter((call) => call === COMPLETED);
    expect(completed).toHaveLength(3);
  });

  it('keeps asking where nobody answers, and stops nothing', async () => {
    await using machine = await aMachine({ systemctl: '', aws: '' });
    const child = drain({ ...machine.env, METADATA: 'http://127.0.0.1:1' });
    setTimeout(() => child.child.kill('SIGTERM'), 500);
    await expect(child).rejects.toMatchObject({ signal: 'SIGTERM' });
    expect(await machine.calls()).toEqual([]);
  });
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** As autoscaling.tf puts it together. */
const bootOf = async (secrets: string): Promise<string> =>
  [
    '#!/bin/bash',
    "region='eu-central-1'",
    "group='workers'",
    "hook='workers-drain'",
    'processes=2',
    `secrets='${secrets}'`,
    `settings=${base64('etcd: [https://etcd-1:2379]\n')}`,
    `worker_unit=${base64('[Service]\n')}`,
    `drain_unit=${base64('[Unit]\n')}`,
    `drain_script=${base64('#!/bin/bash\n')}`,
    await readFile(path.join(DEPLOY, 'terraform/boot.sh'), 'utf8'),
  ].join('\n');

const boot = async (
  machine: Awaited<ReturnType<typeof aMachine>>,
  secrets: string,
): Promise<{ readonly at: (file: string) => string }> => {
  const script = path.join(machine.root, 'user-data');
  await writeFile(script, await bootOf(secrets));
  const env = { ...process.env, ...machine.env, BOOT_ROOT: machine.root, BOOT_PAUSE: '0' };
  await run('bash', [script], { env });
  return { at: (file) => path.join(machine.root, file) };
};

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('deploy/terraform/boot.sh', { timeout: 20_000 }, () => {
  it('lays down settings, units and secrets, and starts as many workers as it is told', async () => {
    await using machine = await aMachine({ systemctl: '', aws: 'echo a-secret' });
    const { at } = await boot(machine, 'pool.key=arn:one etcd-client.key=arn:two=2');
    expect(await readFile(at('etc/watcher/watcher.yml'), 'utf8')).toContain('etcd-1');
    // Read by workers, who are nobody; the keys by root alone.
    expect(await modeOf(at('etc/watcher/watcher.yml'))).toBe(0o644);
    expect(await readFile(at('etc/watcher/credentials/pool.key'), 'utf8')).toBe('a-secret\n');
    expect(await modeOf(at('etc/watcher/credentials/pool.key'))).toBe(0o600);
    expect(await modeOf(at('etc/watcher/credentials'))).toBe(0o700);
    expect(await modeOf(at('opt/watcher/drain.sh'))).toBe(0o755);
    expect(await readFile(at('etc/watcher/drain.env'), 'utf8')).toBe(
      'REGION=eu-central-1\nGROUP=workers\nHOOK=workers-drain\n',
    );
    expect(await machine.calls()).toEqual([
      'aws secretsmanager get-secret-value --region eu-central-1 --secret-id arn:one --query SecretString --output text',
      'aws secretsmanager get-secret-value --region eu-central-1 --secret-id arn:two=2 --query SecretString --output text',
      'systemctl daemon-reload',
      'systemctl enable --now watcher-drain.service',
      'systemctl enable --now watcher-worker@1.service',
      'systemctl enable --now watcher-worker@2.service',
    ]);
  });

  it('waits for a role that is not known yet', async () => {
    await using machine = await aMachine({
      systemctl: '',
      aws: '[[ $(grep -c get-secret "$(dirname "$0")/../calls") -ge 3 ]] && echo late',
    });
    const { at } = await boot(machine, 'pool.key=arn:one');
    expect(await readFile(at('etc/watcher/credentials/pool.key'), 'utf8')).toBe('late\n');
  });

  it('starts nothing without its secrets, and names the one that is missing', async () => {
    await using machine = await aMachine({ systemctl: '', aws: 'exit 255' });
    await expect(boot(machine, 'pool.key=arn:one')).rejects.toMatchObject({
      stderr: expect.stringContaining('the secret pool.key cannot be read'),
    });
    expect((await machine.calls()).filter((call) => call.startsWith('systemctl'))).toEqual([]);
  });
});
