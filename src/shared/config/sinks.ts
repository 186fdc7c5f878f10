/** `sinks:` of watcher.yml → the pool-wide sinks, or all that is wrong with them. */

import { resolve } from 'node:path';
import { z } from 'zod';
import type { JsonValue } from '../domain/check.ts';
import type { AwsAccess, SinkSettings, WebhookSink } from '../domain/sink-settings.ts';
import { hasReference, REFERENCE_FORMS, referenceProblem } from '../secrets/reference.ts';
import type { Tell } from './assertion-list.ts';
import { faultsOf, nearest } from './issues.ts';
import { placeholdersOf } from './placeholders.ts';
import {
  dimensionsProblem,
  kindSchema,
  SINK_SCHEMAS,
  type SinkInput,
  WEBHOOK_FIELDS,
} from './sinks-schema.ts';
import { headerProblem, urlProblem } from './target.ts';
import type { Path } from './values.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Context {
  /** Of the sink in its file. */
  readonly path: Path;
  readonly env: Environment;
  readonly tell: Tell;
}

const MOST_SINKS = 16;
const listSchema = z
  .array(z.unknown(), { error: 'must be a list of sinks' })
  .max(MOST_SINKS, { error: `must have at most ${MOST_SINKS} sinks` });

export const sinksOf = (
  given: JsonValue,
  { env, tell }: Pick<Context, 'env' | 'tell'>,
): readonly SinkSettings[] => {
  const list = read(listSchema, given, { path: ['sinks'], tell }) ?? [];
  const sinks: SinkSettings[] = [];
  const firsts = new Map<string, number>();
  for (const [index, item] of list.entries()) {
    const context = { path: ['sinks', index], env, tell };
    const sink = sinkOf(item, context);
    if (sink === null) continue;
    const destination = destinationOf(sink);
    const first = firsts.get(destination);
    if (first !== undefined) tellTwice(first, sink, context);
    else firsts.set(destination, index);
    sinks.push(sink);
  }
  return sinks;
};

const tellTwice = (first: number, { kind }: SinkSettings, { path, tell }: Context): void =>
  tell({
    code: 'E510',
    path,
    message: `this ${kind} sink goes to the same destination as sink ${first + 1} of the list`,
    hint: 'join the two, or everything arrives there twice',
  });

const read = <T extends z.ZodType>(
  schema: T,
  value: unknown,
  { path, tell }: Pick<Context, 'path' | 'tell'>,
): z.output<T> | null => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const fault of faultsOf(parsed.error.issues, { value, schema, path })) tell(fault);
  return null;
};

const sinkOf = (given: unknown, context: Context): SinkSettings | null => {
  const kind = read(kindSchema, given, context)?.kind;
  if (kind === undefined) return null;
  const input: SinkInput | null = read(SINK_SCHEMAS[kind], given, context);
  return input && decode(input, context);
};

const decode = (input: SinkInput, context: Context): SinkSettings => {
  switch (input.kind) {
    case 'datadog': {
      const { kind, site, api_key: apiKey, tags, metrics, events, service_checks: checks } = input;
      wantReference(apiKey, 'api_key', context);
      return { kind, site, apiKey, tags, metrics, events, serviceChecks: checks };
    }
    case 'cloudwatch': {
      const { kind, namespace, dimensions, metrics } = input;
      const message = dimensionsProblem(dimensions);
      if (message) context.tell({ code: 'E502', path: [...context.path, 'dimensions'], message });
      return { kind, ...accessOf(input, context), namespace, dimensions, metrics };
    }
    case 'eventbridge': {
      const { kind, bus, source } = input;
      return { kind, ...accessOf(input, context), bus, source };
    }
    case 'jsonl': {
      const { kind, path, max_size: maxBytes, keep } = input;
      return { kind, path, maxBytes, keep };
    }
    case 'webhook':
      return webhookOf(input, context);
  }
};

const accessOf = (
  { region, aws_key: key, aws_secret: secret }: SinkInput<'cloudwatch' | 'eventbridge'>,
  context: Context,
): AwsAccess => {
  const { path, env, tell } = context;
  const usual = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  if (region === undefined && !usual)
    tell({ code: 'E503', path, message: '"region" is missing', hint: 'add it, or set AWS_REGION' });
  if (key !== undefined) wantReference(key, 'aws_key', context);
  if (secret !== undefined) wantReference(secret, 'aws_secret', context);
  if ((key === undefined) !== (secret === undefined))
    tell({ code: 'E510', path, message: 'aws_key and aws_secret need each other' });
  return {
    region: region ?? usual ?? '',
    ...(key === undefined ? {} : { key }),
    ...(secret === undefined ? {} : { secret }),
  };
};

const webhookOf = (input: SinkInput<'webhook'>, context: Context): WebhookSink => {
  const { kind, url, headers, on, body } = input;
  checkUrl(url, context);
  for (const [name, value] of Object.entries(headers)) checkHeader(name, value, context);
  const template = body as WebhookSink['body'];
  checkFields(template, context);
  return { kind, url, headers: Object.entries(headers), on, body: template };
};

/** Whose value nobody else may know: of headers and of parameters of a URL. */
const SECRET_NAME = /authorization|cookie|key|token|secret|password|signature|^sig$/i;

const checkUrl = (url: string, context: Context): void => {
  const { tell } = context;
  const path = [...context.path, 'url'];
  const problem = hasReference(url) ? null : urlProblem(url);
  if (problem) tell({ ...problem, path });
  const names = [...new URLSearchParams(url.split('?')[1])]
    .filter(([, value]) => !hasReference(value))
    .map(([name]) => name);
  const open = names.find((name) => SECRET_NAME.test(name));
  if (open !== undefined)
    tell({ code: 'E511', path, message: `${open} in the url must be ${REFERENCE_FORMS}` });
};

const checkHeader = (name: string, value: string, context: Context): void => {
  const path = ['headers', name];
  const problem = headerProblem(name, value);
  if (problem) context.tell({ ...problem, path: [...context.path, ...path] });
  if (SECRET_NAME.test(name)) wantReference(value, path, context);
};

const checkFields = (body: WebhookSink['body'], { path, tell }: Context): void => {
  for (const { name, path: at } of placeholdersOf(body, [...path, 'body'])) {
    if (name.startsWith('values.') || WEBHOOK_FIELDS.some((field) => field === name)) continue;
    const near = nearest(name, WEBHOOK_FIELDS);
    const hint = near
      ? `did you mean ${near}?`
      : `known: ${WEBHOOK_FIELDS.join(', ')}, values.NAME`;
    tell({ code: 'E509', path: at, message: `a result has no field "${name}"`, hint });
  }
};

/** Files of settings are shared and committed: a secret never stands in one, and is not repeated. */
const wantReference = (text: string, key: string | Path, { path, tell }: Context): void => {
  if (hasReference(text) && referenceProblem(text) === null) return;
  const inner = typeof key === 'string' ? [key] : key;
  tell({
    code: 'E511',
    path: [...path, ...inner],
    message: `${String(inner.at(-1))} must be ${REFERENCE_FORMS}`,
  });
};

/** The address and the key: what a second sink of the kind must not share. */
const destinationOf = (sink: SinkSettings): string => {
  switch (sink.kind) {
    case 'datadog':
      return JSON.stringify([sink.kind, sink.site, sink.apiKey]);
    case 'cloudwatch': {
      const dimensions = Object.entries(sink.dimensions).sort();
      return JSON.stringify([sink.kind, sink.region, sink.key, sink.namespace, dimensions]);
    }
    case 'eventbridge':
      return JSON.stringify([sink.kind, sink.region, sink.key, sink.bus]);
    case 'jsonl':
      return JSON.stringify([sink.kind, resolve(sink.path)]);
    case 'webhook':
      return JSON.stringify([sink.kind, sink.url, sink.headers]);
  }
};
