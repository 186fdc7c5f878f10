import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadSettings } from '../../../src/shared/config/settings.ts';
import { warningsOf } from '../../../src/shared/coordination/etcd/warnings.ts';
import type { Revision } from '../../../src/shared/coordination/kv.ts';
import { ENDS_WITHIN, problemsOf, secondsIn, unknownVariables } from './commands.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const DEPLOY = path.join(ROOT, 'deploy');
const read = (file: string): Promise<string> => readFile(path.join(DEPLOY, file), 'utf8');

interface Service {
  readonly image?: string;
  readonly build?: {
    readonly context: string;
    readonly dockerfile: string;
    readonly target?: string;
  };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly network_mode?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly deploy?: { readonly replicas: number };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

const compose = parse(await read('compose.yml'), { merge: true }) as Compose;
const service = (name: string): Service => compose.services[name] ?? {};
const isPath = (source: string): boolean => source.startsWith('.');
const MEMBERS = ['etcd-1', 'etcd-2', 'etcd-3'] as const;
const ROLES = ['admin', 'worker'] as const;

/** `NAME=TEXT…` of a line with all that follow it by a backslash, without comments. */
interface Instruction {
  readonly name: string;
  readonly text: string;
}

const instructionsOf = (dockerfile: string): readonly Instruction[] =>
  dockerfile
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ name: line.split(' ')[0] ?? '', text: line.replace(/^\w+ /, '') }));

const instructions = instructionsOf(await read('Dockerfile'));
const texts = (name: string): readonly string[] =>
  instructions.filter((one) => one.name === name).map(({ text }) => text);

describe('deploy/Dockerfile', () => {
  it('has no instruction but those of Docker', () => {
    const known =
      /^(?:ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|RUN|USER|VOLUME|WORKDIR)$/;
    expect(instructions.filter(({ name }) => !known.test(name))).toEqual([]);
  });

  it('takes the oldest Node that watcher runs on from one place', async () => {
    const { engines } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      engines: { node: string };
    };
    const major = /\d+/.exec(engines.node)?.[0];
    expect(texts('ARG')).toEqual([`NODE_IMAGE=node:${major}-slim`]);
    for (const from of texts('FROM')) expect(from).toMatch(/^\$\{NODE_IMAGE\}(?: AS \w+)?$/);
  });

  it('copies only what there is, and what the build is not kept from', async () => {
    const allowed = (await read('Dockerfile.dockerignore'))
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const sources = texts('COPY')
      .filter((text) => !text.startsWith('--from'))
      .flatMap((text) => text.split(' ').slice(0, -1));
    expect(sources.length).toBeGreaterThan(4);
    for (const source of sources) {
      await stat(path.join(ROOT, source));
      expect(allowed).toContain(source);
    }
    expect(allowed.filter((one) => !sources.includes(one))).toEqual([]);
  });

  it('runs scripts that package.json has, and leaves development behind', async () => {
    const { scripts } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const run = texts('RUN').join(' && ');
    for (const [, script = ''] of run.matchAll(/npm run (\S+)/g))
      expect(scripts[script]).toBeDefined();
    expect(run).toContain('npm ci --omit=dev');
    expect(texts('ENV').join(' ')).toContain('NODE_ENV=production');
  });

  it('ends as a process that is not root, gets signals, and knows only settings that there are', () => {
    const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
    expect(last.find(({ name }) => name === 'USER')?.text).toBe('node');
    const [entry] = last.filter(({ name }) => name === 'ENTRYPOINT');
    // The form with a shell would keep SIGTERM for itself.
    expect(JSON.parse(entry?.text ?? '')).toEqual([
      'node',
      '--max-semi-space-size=8',
      'dist/cli.js',
    ]);
    const variables = texts('ENV').flatMap((text) =>
      text.split(' ').map((pair) => pair.split('=')[0] ?? ''),
    );
    expect(unknownVariables(variables)).toEqual([]);
  });

  it('asks for its health by a program that the image has, where watcher listens by default', async () => {
    const [, command = ''] = /CMD (\[.*\])$/.exec(texts('HEALTHCHECK')[0] ?? '') ?? [];
    const [program, flag, code] = JSON.parse(command) as string[];
    expect([program, flag]).toEqual(['node', '-e']);
    const { SETTINGS } = await import('../../../src/shared/config/settings-table.ts');
    expect(code).toContain(`'http://${SETTINGS.listen.default}/healthz'`);
    // It is code that Node can read.
    expect(() => new Function(code ?? '(')).not.toThrow();
  });
});

describe('deploy/compose.yml', () => {
  it('has three members of etcd, two admins and three workers', () => {
    expect(Object.keys(compose.services)).toEqual(['certificates', ...MEMBERS, ...ROLES]);
    expect(service('admin').deploy?.replicas).toBe(2);
    expect(service('worker').deploy?.replicas).toBe(3);
  });

  it.each(ROLES)('starts each %s with a command line that watcher takes', (role) => {
    const { command = [] } = service(role);
    expect(command[0]).toBe(role);
    expect(problemsOf(command)).toEqual([]);
  });

  it.each(ROLES)('gives each %s the time to drain, and its own folder for what waits', (role) => {
    const { stop_grace_period: grace = '', volumes = [] } = service(role);
    expect(secondsIn(grace)).toBeGreaterThan(ENDS_WITHIN[role]);
    // Without a name: a named one would be shared by all replicas.
    expect(volumes).toContain('/var/lib/watcher');
  });

  it.each(ROLES)(
    'lets the watchdog of a wedged %s end it, as the first process could not',
    (role) => {
      expect(service(role).init).toBe(true);
    },
  );

  it('mounts only what there is', async () => {
    const mounts = Object.values(compose.services)
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => volume.replace(/\$\{\w+:-([^}]*)\}/, '$1').split(':'))
      .filter(([, target]) => target !== undefined)
      .map(([source = '']) => source);
    const [paths, names] = [mounts.filter(isPath), mounts.filter((one) => !isPath(one))];
    for (const one of paths) await stat(path.join(DEPLOY, one));
    expect([...new Set(names)].sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  it('joins only networks that there are, and waits only for services that there are', () => {
    for (const { networks = [], depends_on: waits = {} } of Object.values(compose.services)) {
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining([...networks]));
      expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(Object.keys(waits)));
    }
  });

  it('lets nothing but itself speak to etcd, and keeps each process small', () => {
    expect(compose.networks['ledger']?.internal).toBe(true);
    for (const member of MEMBERS) expect(service(member).networks).toEqual(['ledger']);
    for (const name of [...MEMBERS, ...ROLES]) {
      expect(service(name)).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
      });
    }
  });

  it('waits for etcd as a whole, and for certificates before it', () => {
    for (const member of MEMBERS) {
      expect(service(member).depends_on).toEqual({
        certificates: { condition: 'service_completed_successfully' },
      });
      expect(service(member).healthcheck?.test[0]).toBe('CMD');
    }
    for (const role of ROLES)
      expect(service(role).depends_on).toEqual(
        Object.fromEntries(MEMBERS.map((member) => [member, { condition: 'service_healthy' }])),
      );
  });

  it('makes certificates for the members by their names', () => {
    expect(service('certificates').command).toEqual(['/certificates', ...MEMBERS]);
    expect(service('certificates').build?.target).toBe('certificates');
    expect(texts('FROM')).toContain('${NODE_IMAGE} AS certificates');
  });

  it('speaks of each member in the same way everywhere', () => {
    for (const member of MEMBERS) {
      const { environment = {} } = service(member);
      expect(environment).toMatchObject({
        ETCD_NAME: member,
        ETCD_ADVERTISE_CLIENT_URLS: `https://${member}:2379`,
        ETCD_INITIAL_ADVERTISE_PEER_URLS: `https://${member}:2380`,
        ETCD_CLIENT_CERT_AUTH: 'true',
        ETCD_PEER_CLIENT_CERT_AUTH: 'true',
      });
      expect(environment['ETCD_INITIAL_CLUSTER']).toContain(`${member}=https://${member}:2380`);
    }
  });

  it('runs an etcd of which watcher would not warn', () => {
    const [{ image = '' }] = MEMBERS.map(service) as [Service];
    const version = /:v([\d.]+)$/.exec(image)?.[1] ?? '';
    const warnings = (of: string) =>
      warningsOf(
        {
          members: [
            {
              endpoint: 'https://etcd-1:2379',
              answer: { version: of, dbBytes: 0, alarms: [], revision: 1 as Revision },
            },
          ],
          quotaBytes: Number(service('etcd-1').environment?.['ETCD_QUOTA_BACKEND_BYTES']),
          hasBeenCompacted: true,
          certificateEndsAt: null,
        },
        0,
      );
    expect(warnings(version)).toEqual([]);
    expect(warnings('3.4.23')).not.toEqual([]);
  });
});

describe('deploy/watcher.yml', () => {
  it('is a settings file, and names the members and the keys that compose.yml mounts', async () => {
    const { pool } = await loadSettings({ file: path.join(DEPLOY, 'watcher.yml'), env: {} });
    expect(pool.etcd?.endpoints).toEqual(MEMBERS.map((member) => `https://${member}:2379`));
    const { caFile, certFile, keyFile } = pool.etcd?.tls ?? {};
    for (const file of [caFile, certFile, keyFile, pool.poolKey])
      expect(path.dirname(file ?? '')).toBe('/run/watcher');
    for (const role of ROLES) {
      expect(service(role).volumes).toContain('watcher-keys:/run/watcher:ro');
      expect(service(role).volumes).toContain('./watcher.yml:/etc/watcher/watcher.yml:ro');
      expect(service(role).command).toContain('--settings=/etc/watcher/watcher.yml');
    }
  });
});
