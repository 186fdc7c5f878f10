/** `post_endpoint`, `post_service` and `post_on` → where results go, with advice on the way. */

import type {
  JsonValue,
  PostEndpoint,
  PostService,
  PostSettings,
  ValueQuery,
} from '../domain/check.ts';
import { hasReference, REFERENCE_FORMS, referenceProblem } from '../secrets/reference.ts';
import { placeholderHint, type Tell } from './assertion-list.ts';
import { placeholdersOf } from './placeholders.ts';
import {
  DEFAULT_REGION,
  type EndpointInput,
  type PostsInput,
  type ServiceInput,
} from './posts-schema.ts';
import { urlProblem } from './target.ts';
import type { Path } from './values.ts';

/** Undefined when nothing is posted. */
export const postsOf = (
  given: PostsInput,
  values: readonly ValueQuery[],
  tell: Tell,
): PostSettings | undefined => {
  const { post_endpoint: endpoint, post_service: service, post_on: on } = given;
  if (!endpoint && !service) {
    if (on)
      tell({ code: 'E510', path: ['post_on'], message: 'post_on needs something to post to' });
    return undefined;
  }
  return {
    ...(endpoint ? { endpoint: endpointOf(endpoint, values, tell) } : {}),
    ...(service ? { service: serviceOf(service, values, tell) } : {}),
    on: on ?? 'every',
  };
};

const endpointOf = (
  { url, post_api_key: key, post_json_info: info = {} }: EndpointInput,
  values: readonly ValueQuery[],
  tell: Tell,
): PostEndpoint => {
  const problem = hasReference(url) ? null : urlProblem(url);
  if (problem) tell({ ...problem, path: ['post_endpoint', 'url'] });
  else if (URL.parse(url)?.hostname === 'app.datadoghq.com') adviseHost(tell);
  const body = info as Readonly<Record<string, JsonValue>>;
  checkPlaceholders(body, ['post_endpoint', 'post_json_info'], values, tell);
  if (!key) return { url, body };
  checkSecret(key.param_value, ['post_endpoint', 'post_api_key', 'param_value'], tell);
  const apiKey = { name: key.param_name, value: key.param_value, in: key.in ?? 'query' };
  return { url, apiKey, body };
};

const adviseHost = (tell: Tell): void =>
  tell({
    code: 'I202',
    path: ['post_endpoint', 'url'],
    message: 'app.datadoghq.com is the web site; its API is at api.datadoghq.com',
    hint: 'write https://api.datadoghq.com/…, or the host of your site',
  });

const serviceOf = (given: ServiceInput, values: readonly ValueQuery[], tell: Tell): PostService => {
  const { service, aws_key: key, aws_secret: secret, aws_region: region } = given;
  const { data_source: source, data_detail_type: detailType, data_resources: resources } = given;
  const detail = given.data_details_json as Readonly<Record<string, JsonValue>> | undefined;
  checkEvent(given, tell);
  if (key !== undefined) checkSecret(key, ['post_service', 'aws_key'], tell);
  if (secret !== undefined) checkSecret(secret, ['post_service', 'aws_secret'], tell);
  if (region === undefined) adviseRegion(tell);
  for (const name of [
    'data_source',
    'data_detail_type',
    'data_details_json',
    'data_resources',
  ] as const)
    checkPlaceholders(given[name] as JsonValue, ['post_service', name], values, tell);
  return {
    service,
    region: region ?? DEFAULT_REGION,
    ...(key === undefined ? {} : { key }),
    ...(secret === undefined ? {} : { secret }),
    ...(source === undefined ? {} : { source }),
    ...(detailType === undefined ? {} : { detailType }),
    ...(detail === undefined ? {} : { detail }),
    ...(resources === undefined ? {} : { resources }),
  };
};

const adviseRegion = (tell: Tell): void =>
  tell({
    code: 'I204',
    path: ['post_service'],
    message: `no aws_region; ${DEFAULT_REGION} is used`,
    hint: 'add aws_region',
  });

/** EventBridge's limits: an entry without all three parts of an event fails as a whole. */
const MAX_SOURCE = 256;
const MAX_DETAIL_TYPE = 128;

const checkEvent = (given: ServiceInput, tell: Tell): void => {
  const {
    service,
    data_source: source,
    data_detail_type: type,
    aws_key: key,
    aws_secret: secret,
  } = given;
  const at = (name: string): Path => ['post_service', name];
  if (service === 'aws-eventbridge' && type === undefined)
    tell({
      code: 'E503',
      path: ['post_service'],
      message: '"data_detail_type" is missing: an event has one',
    });
  if (type !== undefined && source === undefined)
    tell({
      code: 'E503',
      path: ['post_service'],
      message: '"data_source" is missing: an event has one',
    });
  if (source !== undefined && (source.length > MAX_SOURCE || source.startsWith('aws.')))
    tell({
      code: 'E502',
      path: at('data_source'),
      message: `data_source has at most ${MAX_SOURCE} characters and does not start with "aws."`,
    });
  if (type !== undefined && type.length > MAX_DETAIL_TYPE)
    tell({
      code: 'E502',
      path: at('data_detail_type'),
      message: `data_detail_type has at most ${MAX_DETAIL_TYPE} characters`,
    });
  if ((key === undefined) !== (secret === undefined))
    tell({
      code: 'E510',
      path: ['post_service'],
      message: 'aws_key and aws_secret need each other',
    });
  for (const [index, resource] of (given.data_resources ?? []).entries()) {
    if (/^(?:arn:|\{)/.test(resource)) continue;
    const message = `"${resource}" is not an ARN; it is sent as it stands`;
    tell({ code: 'I203', path: [...at('data_resources'), index], message });
  }
};

/** A secret is a reference, or gets advice. The text itself is never repeated. */
export const checkSecret = (text: string, path: Path, tell: Tell): void => {
  const problem = referenceProblem(text);
  if (problem) tell({ code: 'E511', path, message: problem });
  else if (!hasReference(text)) {
    const message = `${String(path.at(-1))} is a secret that stands in the file`;
    tell({ code: 'I201', path, message, hint: `write ${REFERENCE_FORMS}, in quotes` });
  }
};

const checkPlaceholders = (
  value: JsonValue | undefined,
  path: Path,
  values: readonly ValueQuery[],
  tell: Tell,
): void => {
  for (const found of placeholdersOf(value ?? null, path)) {
    if (values.some(({ name }) => name === found.name)) continue;
    const message = `no value of the check is called "${found.name}"`;
    tell({ code: 'E509', path: found.path, message, hint: placeholderHint(found.name, values) });
  }
};
