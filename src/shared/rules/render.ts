/**
 * What a check file posts, for one run: emission → **post** → destination. Pure; compiled once for
 * each spec. When all is well that is what the file configures; when not, it says so.
 */

import type { JsonValue, PostEndpoint, PostService, PostSettings } from '../domain/check.ts';
import { instantOf, type PostBody, type PostedEmission } from '../domain/delivery.ts';
import { compileText, cut, harmless, MAX_POST_TEXT } from './post-text.ts';
import { compileTag } from './tag-values.ts';
import { compileFill, compileTemplate, type Fields, textOf } from './template.ts';

/** Null: this run is not posted (`post_on: success`). */
export type PostRenderer = (emission: PostedEmission) => PostBody | null;

type On = PostSettings['on'];
type Filled = (fields: Fields, check: string) => JsonValue | undefined;

const NO_FIELDS: Fields = () => undefined;

const fieldsOf = (emission: PostedEmission): Fields => {
  if (emission.kind === 'self') return NO_FIELDS;
  const { values } = emission.result;
  return (name) => (Object.hasOwn(values, name) ? values[name] : undefined);
};

const ownerOf = (emission: PostedEmission): string =>
  emission.kind === 'self' ? emission.host : emission.result.id;

const isWell = (emission: PostedEmission): boolean =>
  (emission.kind === 'self' ? emission.status : emission.result.status) === 'ok';

/** An event of Datadog, or whatever JSON an endpoint takes. `text` says what is wrong, if anything. */
export const compileEndpointPost = ({ body }: PostEndpoint, on: On): PostRenderer => {
  const keys = Object.entries(body).map(([key, value]) => [key, compileKey(key, value)] as const);
  return (emission) => {
    const well = isWell(emission);
    if (!well && on === 'success') return null;
    const fields = fieldsOf(emission);
    const owner = ownerOf(emission);
    const post: Record<string, JsonValue> = {};
    for (const [key, fill] of keys) {
      const value = fill(fields, owner);
      if (value !== undefined) post[key] = value;
    }
    // Whole seconds; the tick, so that a repeat is known as one.
    post['date_happened'] ??= Math.floor(instantOf(emission) / 1000);
    if (well) return post;
    post['alert_type'] = alertTypeOf(emission);
    post['text'] = troubleText(emission);
    return post;
  };
};

/** Datadog takes no event without title and text: they are there even when a value is not. */
const compileKey = (key: string, value: JsonValue): Filled => {
  if (typeof value === 'string' && (key === 'text' || key === 'title'))
    return compileText(value, MAX_POST_TEXT);
  return key === 'tags' && Array.isArray(value) ? compileTags(value) : compileFill(value);
};

const compileTags = (tags: readonly JsonValue[]): Filled => {
  const compiled = tags.map(
    (tag): Filled => (typeof tag === 'string' ? compileTag(tag) : compileFill(tag)),
  );
  return (fields, check) =>
    compiled.map((tag) => tag(fields, check)).filter((tag) => tag !== undefined);
};

const alertTypeOf = (emission: PostedEmission): 'error' | 'warning' =>
  emission.kind === 'result' && emission.result.status === 'critical' ? 'error' : 'warning';

/** The status comes first: `unknown` must not be read as an outage of the target. */
const troubleText = (emission: PostedEmission): string => {
  if (emission.kind === 'self') return cut(harmless(emission.findings.join('\n')), MAX_POST_TEXT);
  const { status, reason } = emission.result;
  return cut(reason === null ? status : `${status}: ${harmless(reason)}`, MAX_POST_TEXT);
};

/** EventBridge's limits. */
const MAX_SOURCE = 256;
const MAX_DETAIL_TYPE = 128;

/**
 * `{Source, DetailType, Detail, Resources}`, Detail still an object; null where the service has no
 * event. A run that is not ok adds `watcher` to Detail and nothing else.
 */
export const compileEventPost = (service: PostService, on: On): PostRenderer | null => {
  const { source, detailType, detail = {}, resources = [] } = service;
  if (service.service === 'aws-cloudwatch-metrics') return null;
  if (detailType === undefined || source === undefined) return null;
  const fillSource = compileName(source, MAX_SOURCE);
  const fillType = compileName(detailType, MAX_DETAIL_TYPE);
  const fillDetail = compileTemplate(detail, { gaps: 'drop' });
  const fillResources = compileTemplate(resources);
  return (emission) => {
    const well = isWell(emission);
    if (!well && on === 'success') return null;
    const fields = fieldsOf(emission);
    const configured = fillDetail(fields) as Readonly<Record<string, JsonValue>>;
    return {
      Source: fillSource(fields),
      DetailType: fillType(fields),
      Detail: well ? configured : { ...configured, watcher: troubleOf(emission) },
      Resources: (fillResources(fields) as readonly JsonValue[]).map(textOf),
    };
  };
};

/** EventBridge refuses an event whose source or type is empty. */
const compileName = (text: string, max: number): ((fields: Fields) => string) => {
  const fill = compileTemplate(text);
  return (fields) => cut(textOf(fill(fields) ?? ''), max) || 'unknown';
};

const troubleOf = (emission: PostedEmission): JsonValue =>
  emission.kind === 'self'
    ? { status: emission.status, findings: emission.findings }
    : { status: emission.result.status, reason: emission.result.reason };

/**
 * `{source}`, null without a `data_source` (the destination then names the host); null where the
 * service takes no metrics. Every run counts, whatever `post_on` says: a success rate without the
 * failures would be a lie.
 */
export const compileMetricsPost: (service: PostService, on: On) => PostRenderer | null = ({
  service,
  source,
}) => {
  if (service === 'aws-eventbridge') return null;
  if (source === undefined) return () => NO_SOURCE;
  const fill = compileTag(source, MAX_SOURCE);
  return (emission) => ({ source: fill(fieldsOf(emission), ownerOf(emission)) ?? null });
};

const NO_SOURCE = Object.freeze({ source: null });
