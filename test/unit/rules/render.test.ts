import { describe, expect, it } from 'vitest';
import type { CheckId, JsonValue, PostService } from '../../../src/shared/domain/check.ts';
import type { Result } from '../../../src/shared/domain/result.ts';
import {
  compileEndpointPost,
  compileEventPost,
  compileMetricsPost,
} from '../../../src/shared/rules/render.ts';
import { anEmission, aSelfEmission, TICK } from '../../support/builders.ts';

type Body = { readonly [key: string]: JsonValue };

const SECOND = TICK / 1000;
const NOTES: Body = { title: 'fabricsounds health', text: 'health ok', tags: ['status:{status}'] };

const endpointPost = (body: Body, on: 'every' | 'success' = 'every') =>
  compileEndpointPost({ url: 'https://example.com/', body }, on);

const CRITICAL: Partial<Result> = {
  status: 'critical',
  code: 'assertion',
  reason: 'status is "bad", expected "ok"',
  values: { status: 'bad' },
};

const textOf = (body: Body, values: Result['values']) =>
  (endpointPost(body)(anEmission({ values })) as Body)['text'];
const tagsOf = (tags: readonly string[], values: Result['values']) =>
  (endpointPost({ tags })(anEmission({ values })) as Body)['tags'];

describe('what an endpoint is sent', () => {
  it('is what the file says, and the tick in whole seconds, when all is well', () => {
    expect(JSON.stringify(endpointPost(NOTES)(anEmission({ tick: TICK + 999 })))).toBe(
      `{"title":"fabricsounds health","text":"health ok","tags":["status:ok"],"date_happened":${SECOND}}`,
    );
  });

  it('says on failure what is wrong, under the same title and tags', () => {
    expect(JSON.stringify(endpointPost(NOTES)(anEmission(CRITICAL)))).toBe(
      `{"title":"fabricsounds health","text":"critical: status is \\"bad\\", expected \\"ok\\"",` +
        `"tags":["status:bad"],"date_happened":${SECOND},"alert_type":"error"}`,
    );
  });

  it.each([
    ['warning', 'warning'],
    ['critical', 'error'],
    ['unknown', 'warning'],
  ] as const)('names the status %s, and alerts as %s', (status, alertType) => {
    expect(endpointPost({})(anEmission({ status, reason: 'why' }))).toEqual({
      date_happened: SECOND,
      alert_type: alertType,
      text: `${status}: why`,
    });
  });

  it('never says that all is well when it is not, whatever the file says', () => {
    const body = { alert_type: 'success', text: 'health ok', date_happened: 1 };
    expect(endpointPost(body)(anEmission(CRITICAL))).toEqual({
      alert_type: 'error',
      text: 'critical: status is "bad", expected "ok"',
      date_happened: 1,
    });
  });

  it('is nothing for a run that is not ok under post_on: success', () => {
    const post = endpointPost(NOTES, 'success');
    expect(post(anEmission())).not.toBeNull();
    for (const status of ['warning', 'critical', 'unknown'] as const)
      expect(post(anEmission({ status, reason: 'why' }))).toBeNull();
    expect(post(aSelfEmission())).not.toBeNull();
    expect(post(aSelfEmission({ status: 'degraded', findings: ['late'] }))).toBeNull();
  });

  it('keeps types outside the texts that Datadog knows, and drops keys without a value', () => {
    const body = {
      n: '{n}',
      text: '{n}',
      gone: '{gone}',
      title: 'a{gone}',
      tags: ['{n}', '{gone}'],
    };
    expect(endpointPost(body)(anEmission({ values: { n: 1 } }))).toEqual({
      n: 1,
      text: '1',
      title: 'a',
      tags: ['1'],
      date_happened: SECOND,
    });
  });

  it('has a text even when the value of it is missing', () => {
    expect(textOf({ text: '{gone}' }, {})).toBe('');
  });

  it.each(['constructor', '__proto__', 'toString'])('knows no value called {%s}', (name) => {
    const body = { text: `a{${name}}`, tags: [`{${name}}`], other: `{${name}}` };
    expect(endpointPost(body)(anEmission())).toStrictEqual({
      text: 'a',
      tags: [],
      date_happened: SECOND,
    });
  });

  it('cuts a long text, and says that there was more', () => {
    const text = textOf({ text: 'a {long}' }, { long: '€'.repeat(4_096) }) as string;
    expect([text.length, text.at(-1)]).toEqual([4_000, '…']);
    const post = endpointPost({})(anEmission({ ...CRITICAL, reason: 'x'.repeat(9_999) })) as Body;
    expect((post['text'] as string).length).toBe(4_000);
    expect(textOf({ text: `${'x'.repeat(3_998)}{e}` }, { e: '😀' })).toHaveLength(4_000);
    expect(textOf({ text: `${'x'.repeat(3_998)}{e}` }, { e: '😀😀' })).toBe(
      `${'x'.repeat(3_998)}\uFFFD…`,
    );
  });

  it('reports how watcher itself is', () => {
    const post = endpointPost({ title: 'watcher-monitor', text: 'health ok' });
    expect(post(aSelfEmission())).toEqual({
      title: 'watcher-monitor',
      text: 'health ok',
      date_happened: SECOND,
    });
    expect(post(aSelfEmission({ status: 'degraded', findings: ['2 late', '@1 lost'] }))).toEqual({
      title: 'watcher-monitor',
      text: '2 late\n@\u200b1 lost',
      date_happened: SECOND,
      alert_type: 'warning',
    });
  });
});

describe('a hostile value', () => {
  it.each([
    ['%%% \n# big\n %%%', '%\u200b%\u200b% \n# big\n %\u200b%\u200b%'],
    ['ask @pagerduty-all', 'ask @\u200bpagerduty-all'],
    ['<script>', '<\u200bscript>'],
    ['[pay](http://evil)', '[pay]\u200b(http://evil)'],
    ['100% of a > b', '100% of a > b'],
  ])('is harmless in a text: %j', (value, shown) => {
    expect(textOf({ text: 'v: {v}' }, { v: value })).toBe(`v: ${shown}`);
    expect(textOf({ text: '{v}' }, { v: value })).toBe(shown);
    const titled = endpointPost({ title: '{v}' })(anEmission({ values: { v: value } })) as Body;
    expect(titled['title']).toBe(shown);
    const post = endpointPost({})(anEmission({ ...CRITICAL, reason: value })) as Body;
    expect(post['text']).toBe(`critical: ${shown}`);
  });

  it.each([
    ['@{v}', 'oncall', '@\u200boncall'],
    ['%%{v}', '%', '%%\u200b%'],
    ['{v}%% b', 'a%', 'a%\u200b%% b'],
    ['<{v}>', 'img', '<\u200bimg>'],
    ['[a]{v}', '(b)', '[a]\u200b(b)'],
  ])('does nothing together with the text around it: %j', (text, value, shown) => {
    expect(textOf({ text }, { v: value })).toBe(shown);
  });

  it('takes no effect from the file itself', () => {
    const text = '%%% \n**ok** [docs](http://x) <b> {v}\n %%% @team {v}';
    expect(textOf({ text }, { v: '1' })).toBe(text.replaceAll('{v}', '1'));
    expect(textOf({ text: '@team {v}' }, { v: '1' })).toBe('@team 1');
    expect(textOf({ text: '{v}@team' }, { v: '1' })).toBe('1@team');
  });

  it('makes one tag of one, and no longer than Datadog keeps', () => {
    expect(tagsOf(['a:{v}', 'b,c:{v}'], { v: 'x,y|z#\r\n\u2028\0w' })).toEqual([
      'a:x_y_z_____w',
      'b,c:x_y_z_____w',
    ]);
    const [long = ''] = tagsOf(['a:{v}'], { v: 'x'.repeat(4_096) }) as string[];
    expect([long.length, long.at(-1)]).toEqual([200, '…']);
  });

  it.each([
    [true, 'true'],
    [null, 'null'],
    [1.5, '1.5'],
    [{ a: [1, 2] }, '{"a":[1_2]}'],
    [[], '[]'],
  ])('is a text in a tag: %j', (value, text) => {
    expect(tagsOf(['v:{v}', '{v}'], { v: value })).toEqual([`v:${text}`, text]);
  });

  it('stays data where no person and no markup reads it', () => {
    const body = { other: '{v}', nested: { text: '{v}' } };
    expect(endpointPost(body)(anEmission({ values: { v: '@a %%%' } }))).toMatchObject({
      other: '@a %%%',
      nested: { text: '@a %%%' },
    });
  });
});

describe('a tag whose value is new with each run', () => {
  const run = (post: ReturnType<typeof endpointPost>, id: string, v: string) =>
    (post(anEmission({ id: id as CheckId, values: { v, w: 'w' } })) as Body)['tags'];

  it('is "other" from the hundred and first value of a check on', () => {
    const post = endpointPost({ tags: ['id:{v}', 'two:{w}-{v}', 'w:{w}'] });
    for (let n = 0; n < 100; n++)
      expect(run(post, 'a', `v${n}`)).toEqual([`id:v${n}`, `two:w-v${n}`, 'w:w']);
    expect(run(post, 'a', 'v100')).toEqual(['id:other', 'two:other-other', 'w:w']);
    expect(run(post, 'a', 'v7')).toEqual(['id:v7', 'two:w-v7', 'w:w']);
    expect(run(post, 'b', 'v100')).toEqual(['id:v100', 'two:w-v100', 'w:w']);
  });

  it('is remembered within bounds, however many checks share the spec', () => {
    const post = endpointPost({ tags: ['id:{v}'] });
    for (let n = 0; n < 100; n++) run(post, 'first', `v${n}`);
    expect(run(post, 'first', 'new')).toEqual(['id:other']);
    for (let n = 0; n < 250_000; n++) run(post, `check ${n}`, 'v');
    expect(run(post, 'first', 'new')).toEqual(['id:new']);
  });
});

const SERVICE: PostService = {
  service: 'aws-cloudwatch',
  region: 'us-east-1',
  source: 'mixsig/health',
  detailType: 'type1',
  detail: { status: '{status}', app: '{app}', version: 'v{version}' },
  resources: ['health', '{arn}'],
};

describe('what EventBridge is sent', () => {
  it('is what the file says when all is well', () => {
    const values = { status: 'ok', app: { n: 1 }, version: 2, arn: 'arn:x' };
    expect(compileEventPost(SERVICE, 'every')?.(anEmission({ values }))).toEqual({
      Source: 'mixsig/health',
      DetailType: 'type1',
      Detail: { status: 'ok', app: { n: 1 }, version: 'v2' },
      Resources: ['health', 'arn:x'],
    });
  });

  it('adds on failure what is wrong, and drops what has no value', () => {
    expect(compileEventPost(SERVICE, 'every')?.(anEmission(CRITICAL))).toEqual({
      Source: 'mixsig/health',
      DetailType: 'type1',
      Detail: {
        status: 'bad',
        watcher: { status: 'critical', reason: 'status is "bad", expected "ok"' },
      },
      Resources: ['health'],
    });
  });

  it('tells of watcher itself', () => {
    const post = compileEventPost({ ...SERVICE, detail: { a: 1 } }, 'every');
    expect(post?.(aSelfEmission())).toMatchObject({ Detail: { a: 1 } });
    expect(post?.(aSelfEmission({ status: 'degraded', findings: ['late'] }))).toMatchObject({
      Detail: { a: 1, watcher: { status: 'degraded', findings: ['late'] } },
    });
  });

  it('always has a source and a type that EventBridge takes', () => {
    const post = compileEventPost({ ...SERVICE, source: '{s}', detailType: '{t}' }, 'every');
    expect(post?.(anEmission({ values: {} }))).toMatchObject({
      Source: 'unknown',
      DetailType: 'unknown',
    });
    const long = post?.(anEmission({ values: { s: 's'.repeat(999), t: 7 } })) as Body;
    expect((long['Source'] as string).length).toBe(256);
    expect(long['DetailType']).toBe('7');
  });

  it('is an event only where the service has one', () => {
    const { detailType: _, ...metricsOnly } = SERVICE;
    expect(compileEventPost(metricsOnly, 'every')).toBeNull();
    expect(compileEventPost({ ...SERVICE, service: 'aws-cloudwatch-metrics' }, 'every')).toBeNull();
    expect(compileEventPost({ ...SERVICE, service: 'aws-eventbridge' }, 'every')).not.toBeNull();
  });

  it('is nothing for a run that is not ok under post_on: success', () => {
    const post = compileEventPost(SERVICE, 'success');
    expect(post?.(anEmission(CRITICAL))).toBeNull();
    expect(post?.(anEmission())).not.toBeNull();
  });
});

describe('what CloudWatch is sent', () => {
  const metrics = (overrides: Partial<PostService>, on: 'every' | 'success' = 'every') =>
    compileMetricsPost({ ...SERVICE, ...overrides }, on);

  it('is the source that the file names, if any', () => {
    expect(metrics({})?.(anEmission())).toEqual({ source: 'mixsig/health' });
    expect(metrics({ source: '{app}' })?.(anEmission({ values: { app: 'a' } }))).toEqual({
      source: 'a',
    });
    expect(metrics({ source: '{app}' })?.(anEmission())).toEqual({ source: null });
    const { source: _, ...without } = SERVICE;
    expect(compileMetricsPost(without, 'every')?.(aSelfEmission())).toEqual({ source: null });
  });

  it('tells of failures whatever post_on says: the success metric is not always 1', () => {
    expect(metrics({}, 'success')?.(anEmission(CRITICAL))).toEqual({ source: 'mixsig/health' });
  });

  it('is nothing where the service is EventBridge alone', () => {
    expect(metrics({ service: 'aws-eventbridge' })).toBeNull();
    expect(metrics({ service: 'aws-cloudwatch-metrics' })).not.toBeNull();
  });
});
