import { execFile } from 'node:child_process';
import { mkdtempDisposable, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { convertFiles, parse } from '@cdktf/hcl2json';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../../src/shared/config/settings.ts';
import { SETTINGS } from '../../../src/shared/config/settings-table.ts';
import { SINK_SCHEMAS } from '../../../src/shared/config/sinks-schema.ts';
import { SCALING_METRICS } from '../../../src/shared/domain/metrics.ts';
import { ENDS_WITHIN } from './commands.ts';
import { inCloudWatch, signature } from './emitted.ts';

const run = promisify(execFile);
const FOLDER = path.resolve(import.meta.dirname, '../../../deploy/terraform');

/** A block, as HashiCorp's own parser turns it into JSON; expressions are `${…}`. */
interface Block {
  readonly [key: string]: unknown;
}

interface Module {
  readonly variable: Readonly<Record<string, readonly [Block]>>;
  readonly resource: Readonly<Record<string, Readonly<Record<string, readonly [Block]>>>>;
  readonly data: Readonly<Record<string, Readonly<Record<string, readonly [Block]>>>>;
  readonly locals: readonly [Readonly<Record<string, string>>];
  readonly output: Readonly<Record<string, readonly [Block]>>;
}

// Throws where Terraform would not read it.
const module = (await convertFiles(FOLDER)) as unknown as Module;
const resource = (type: string, name: string): Block => module.resource[type]?.[name]?.[0] ?? {};
const blocks = (block: Block, ...keys: readonly string[]): readonly Block[] =>
  keys.reduce<readonly Block[]>(
    (found, key) => found.flatMap((one) => (one[key] as readonly Block[] | undefined) ?? []),
    [block],
  );
const first = (block: Block, ...keys: readonly string[]): Block => blocks(block, ...keys)[0] ?? {};

const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.tf'));
const sources = await Promise.all(files.map((file) => readFile(path.join(FOLDER, file), 'utf8')));
/** Without comments, which may speak of what is not there. */
const source = sources.join('\n').replace(/^\s*#.*$/gm, '');

describe('deploy/terraform', () => {
  it('refers only to what it declares, and declares nothing that it does not use', () => {
    const used = new Set([...source.matchAll(/\bvar\.(\w+)/g)].map(([, name]) => name ?? ''));
    expect([...used].sort()).toEqual(Object.keys(module.variable).sort());
    const locals = new Set([...source.matchAll(/\blocal\.(\w+)/g)].map(([, name]) => name ?? ''));
    expect([...locals].sort()).toEqual(Object.keys(module.locals[0]).sort());
    const references = [...source.matchAll(/\b(data\.)?(aws_\w+)\.(\w+)\.\w+/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [text, isData, type = '', name = ''] of references) {
      const kinds = isData === undefined ? module.resource : module.data;
      expect(kinds[type]?.[name], text).toBeDefined();
    }
  });

  it('explains each variable and each output', () => {
    const all = [...Object.entries(module.variable), ...Object.entries(module.output)];
    for (const [name, [{ description }]] of all) expect(description, name).toMatch(/\.$/);
  });

  it('is laid out as terraform fmt would', { timeout: 20_000 }, async (context) => {
    const fmt = run('terraform', ['fmt', '-check', '-recursive', '.'], { cwd: FOLDER });
    const missing = await fmt.then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (missing) return context.skip();
    await fmt;
  });

  it('has the defaults that the settings have', () => {
    const { namespace } = SINK_SCHEMAS.cloudwatch.parse({ kind: 'cloudwatch' });
    const defaultOf = (name: string) => module.variable[name]?.[0]['default'];
    expect(defaultOf('namespace')).toBe(namespace);
    expect(defaultOf('pool')).toBe(SETTINGS['scaling.pool'].default);
  });
});

describe('the scaling policies', () => {
  const DIMENSIONS = '${merge(var.dimensions, { pool = var.pool })}';

  it('follow metrics that the leader puts, with just its dimensions', () => {
    expect(module.locals[0]['dimensions']).toBe(DIMENSIONS);
    const utilization = first(
      resource('aws_autoscaling_policy', 'utilization'),
      'target_tracking_configuration',
      'customized_metric_specification',
    );
    const stats = blocks(
      resource('aws_autoscaling_policy', 'desired_workers'),
      'target_tracking_configuration',
      'customized_metric_specification',
      'metrics',
      'metric_stat',
      'metric',
    );
    const own = [utilization, ...stats].filter(({ namespace }) => namespace === '${var.namespace}');
    expect(own.map(({ metric_name }) => metric_name)).toEqual([
      'watcher.scaling.capacity_utilization',
      'watcher.scaling.desired_workers',
    ]);
    for (const { metric_name: name, dynamic } of own) {
      expect(SCALING_METRICS).toContain(name);
      // With `dimensions` of the sink, the leader puts these and the pool; without, the pool alone.
      expect(inCloudWatch()).toContain(signature(String(name), ['pool']));
      expect(inCloudWatch({ Stage: 'x' })).toContain(signature(String(name), ['Stage', 'pool']));
      const [loop] = Object.values(dynamic as Record<string, readonly Block[]>)[0] ?? [];
      expect(loop?.['for_each']).toBe('${local.dimensions}');
    }
  });

  it('keep the pool at 70 %, and desired workers at as many as the machines run', () => {
    const target = (name: string) =>
      first(resource('aws_autoscaling_policy', name), 'target_tracking_configuration')[
        'target_value'
      ];
    expect(target('utilization')).toBe('${var.target_utilization}');
    expect(module.variable['target_utilization']?.[0]['default']).toBe(70);
    expect(target('desired_workers')).toBe('${var.processes}');
  });

  it('are never both there: the group follows one of them', () => {
    for (const name of ['utilization', 'desired_workers'])
      expect(resource('aws_autoscaling_policy', name)['count']).toBe(
        `\${var.follow == "${name}" ? 1 : 0}`,
      );
  });

  it('divide by a metric that the group is told to keep', () => {
    const group = resource('aws_autoscaling_group', 'workers');
    expect(group['enabled_metrics']).toEqual(['GroupInServiceInstances']);
    const metrics = blocks(
      resource('aws_autoscaling_policy', 'desired_workers'),
      'target_tracking_configuration',
      'customized_metric_specification',
      'metrics',
    );
    const [result] = metrics.filter(({ return_data }) => return_data === true);
    const ids = String(result?.['expression']).split(' / ');
    expect(ids).toEqual(
      metrics.filter(({ return_data }) => return_data === false).map(({ id }) => id),
    );
  });
});

describe('the lifecycle hook', () => {
  const hook = resource('aws_autoscaling_lifecycle_hook', 'drain');

  it('holds back the end of a machine, and not for ever', () => {
    expect(hook['lifecycle_transition']).toBe('autoscaling:EC2_INSTANCE_TERMINATING');
    expect(hook['default_result']).toBe('CONTINUE');
    const seconds = Number(module.variable['drain_seconds']?.[0]['default']);
    // It is noticed within a pause of 5 s, and said within another.
    expect(seconds).toBeGreaterThan(ENDS_WITHIN.worker + 10);
  });

  it('has the name that the machine completes', () => {
    expect(hook['name']).toBe('${local.drain_hook}');
    expect(module.locals[0]['user_data']).toContain("hook='${local.drain_hook}'");
    expect(module.locals[0]['user_data']).toContain("group='${var.name}'");
    expect(resource('aws_autoscaling_group', 'workers')['name']).toBe('${var.name}');
  });
});

interface Statement {
  readonly sid?: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[] | string;
  readonly condition?: readonly Block[];
}

/** Of what the machines may do: who may become them is another document. */
const statements: readonly Statement[] = Object.entries(
  module.data['aws_iam_policy_document'] ?? {},
)
  .filter(([name]) => name !== 'assume')
  .flatMap(([, [document]]) => [
    ...blocks(document, 'statement'),
    ...blocks((document['dynamic'] as Block | undefined) ?? {}, 'statement', 'content'),
  ]) as unknown as readonly Statement[];

describe('what a machine may do', () => {
  it('is four things, each named in full', () => {
    expect(statements.map(({ actions }) => actions).sort()).toEqual([
      ['autoscaling:CompleteLifecycleAction'],
      ['cloudwatch:PutMetricData'],
      ['events:PutEvents'],
      ['secretsmanager:GetSecretValue'],
    ]);
    expect(source).not.toMatch(/"[a-z]+:[A-Za-z]*\*/);
  });

  it('is limited to what is its own', () => {
    const resourcesOf = (action: string) =>
      statements.find(({ actions }) => actions.includes(action))?.resources;
    expect(resourcesOf('autoscaling:CompleteLifecycleAction')).toEqual([
      '${aws_autoscaling_group.workers.arn}',
    ]);
    expect(resourcesOf('events:PutEvents')).toEqual(['${statement.value}']);
    expect(resourcesOf('secretsmanager:GetSecretValue')).toBe('${values(var.secrets)}');
  });

  it('touches everything only where AWS knows no resource, and there within one namespace', () => {
    const wide = statements.filter(({ resources }) => JSON.stringify(resources).includes('*'));
    expect(wide).toHaveLength(1);
    expect(wide[0]).toMatchObject({
      actions: ['cloudwatch:PutMetricData'],
      condition: [
        {
          test: 'StringEquals',
          variable: 'cloudwatch:namespace',
          values: ['${var.namespace}'],
        },
      ],
    });
  });

  it('is attached: no document is written for nobody', () => {
    const used = [...source.matchAll(/data\.aws_iam_policy_document\.(\w+)\.json/g)];
    expect(new Set(used.map(([, name]) => name))).toEqual(
      new Set(Object.keys(module.data['aws_iam_policy_document'] ?? {})),
    );
  });
});

describe('the machines', () => {
  const template = resource('aws_launch_template', 'worker');

  it('give their credentials to nobody who only makes them fetch a URL', () => {
    expect(first(template, 'metadata_options')).toEqual({
      http_endpoint: 'enabled',
      http_tokens: 'required',
      http_put_response_hop_limit: 1,
    });
  });

  it('are given each variable that their boot script reads', async () => {
    const boot = await readFile(path.join(FOLDER, 'boot.sh'), 'utf8');
    const given = [...(module.locals[0]['user_data'] ?? '').matchAll(/"(\w+)='?\$\{/g)].map(
      ([, name = '']) => name,
    );
    expect(given.length).toBeGreaterThan(6);
    const own = new Set(['root', 'pair', 'file', 'attempt', 'number']);
    const read = new Set(
      [...boot.replace(/^\s*#.*$/gm, '').matchAll(/\$\{?([a-z_]+)/g)].map(([, name = '']) => name),
    );
    const processes = boot.includes('number <= processes') ? ['processes'] : [];
    expect([...read, ...processes].filter((name) => !own.has(name)).sort()).toEqual(given.sort());
  });

  it('are told of each credential that the unit of a worker loads', async () => {
    const unit = await readFile(path.join(FOLDER, '../systemd/watcher-worker@.service'), 'utf8');
    const loaded = [...unit.matchAll(/^LoadCredential=([^:]+):(\S+)$/gm)];
    expect(loaded.length).toBeGreaterThan(3);
    for (const [, name, file] of loaded) {
      expect(file).toBe(`/etc/watcher/credentials/${name}`);
      expect(first(module.variable['secrets']?.[0] ?? {}, 'validation')['condition']).toContain(
        `"${name}"`,
      );
    }
  });
});

describe('the example of deploy/terraform/README.md', async () => {
  const readme = await readFile(path.join(FOLDER, 'README.md'), 'utf8');
  const [, example = ''] = /```hcl\n([\s\S]*?)```/.exec(readme) ?? [];
  const parsed = (await parse('example.tf', example)) as {
    module: Record<string, readonly [Block]>;
  };
  const { source: _, ...given } = parsed.module['watcher_workers']?.[0] ?? {};

  it('gives each variable that has no default, and none that there is not', () => {
    const required = Object.entries(module.variable)
      .filter(([, [variable]]) => !('default' in variable))
      .map(([name]) => name);
    expect(Object.keys(given)).toEqual(expect.arrayContaining(required));
    expect(Object.keys(module.variable)).toEqual(expect.arrayContaining(Object.keys(given)));
    const outputs = [...example.matchAll(/module\.watcher_workers\.(\w+)/g)];
    expect(outputs.length).toBeGreaterThan(0);
    for (const [, name = ''] of outputs) expect(module.output[name]).toBeDefined();
  });

  it('has settings with which a worker starts, and sinks that the role is for', async () => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'settings-'));
    const file = path.join(folder.path, 'watcher.yml');
    await writeFile(file, String(given['settings']));
    const env = { WATCHER_ETCD_TLS_CA: 'ca', WATCHER_POOL_KEY: 'key' };
    const { sinks, pool } = await loadSettings({ file, env });
    expect(pool.etcd?.endpoints).toHaveLength(3);
    const busName = String(given['event_bus_arn']).split('/')[1];
    expect(sinks).toEqual([
      expect.objectContaining({ kind: 'cloudwatch', namespace: 'Watcher' }),
      expect.objectContaining({ kind: 'eventbridge', bus: busName }),
    ]);
  });
});
