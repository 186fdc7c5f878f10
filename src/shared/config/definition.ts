/**
 * What a file says of a check, with the defaults of the folder and the built-in ones → its
 * **definition**. Problems that need more than one key are told here.
 */

import type {
  Auth,
  CheckDefinition,
  CheckId,
  HttpRequest,
  OnCoordinationLoss,
  Schedule,
  SelfDefinition,
} from '../domain/check.ts';
import { CronError, parseCron } from '../rules/schedule.ts';
import { isSecretHeader } from '../secrets/positions.ts';
import { assertionsOf, type Tell, valueQueries } from './assertion-list.ts';
import { checkIdOf } from './check-id.ts';
import { type CheckInput, DEFAULTS, type SelfInput } from './check-schema.ts';
import { durationMs } from './fields.ts';
import { checkSecret, postsOf } from './posts.ts';
import { headerProblem, keyProblem, methodProblem, urlProblem } from './target.ts';

const TIMEOUT_MS = durationMs(DEFAULTS.timeout) as number;
const SPLAY_MS = durationMs(DEFAULTS.splay) as number;

/** Faults' paths start at the check. */
export const definitionOf = (key: string, given: CheckInput, tell: Tell): CheckDefinition => {
  const id = checkIdOf(key);
  const values = valueQueries(given.response_json_values, tell);
  const posts = postsOf(given, values, tell);
  const request = requestOf(key, given, tell);
  const schedule = scheduleOf(given, id, tell);
  return {
    id,
    key,
    spec: {
      kind: 'http',
      schedule,
      request,
      values,
      assertions: assertionsOf(given.success_test, values, tell),
      failAfter: given.fail_after ?? DEFAULTS.fail_after,
      onCoordinationLoss: given.on_coordination_loss ?? lossDefault(request.method),
      ...(given.zone === undefined ? {} : { zone: given.zone }),
      ...(posts ? { posts } : {}),
    },
  };
};

/** What changes something must not happen twice; what only looks may. */
const lossDefault = (method: string): OnCoordinationLoss =>
  method === 'GET' || method === 'HEAD' ? 'run' : 'stop';

const EVERY_MINUTE = '* * * * *';

export const selfOf = (given: SelfInput, tell: Tell): SelfDefinition => {
  const posts = postsOf(given, [], tell);
  if (!posts) {
    const message = 'a self block needs a post_endpoint or a post_service';
    tell({ code: 'E503', path: [], message });
  }
  const timed = { ...given, cron_schedule: given.cron_schedule ?? EVERY_MINUTE };
  return { schedule: scheduleOf(timed, checkIdOf('self'), tell), posts: posts ?? { on: 'every' } };
};

type ScheduleInput = Pick<CheckInput, 'cron_schedule' | 'timezone' | 'splay' | 'timeout'>;

const scheduleOf = (given: ScheduleInput, id: CheckId, tell: Tell): Schedule => {
  const { cron_schedule: cron, timezone = DEFAULTS.timezone, splay: splayMs = SPLAY_MS } = given;
  const schedule = { cron: cron ?? EVERY_MINUTE, timezone, splayMs };
  if (cron === undefined) {
    const hint = 'add one, such as cron_schedule: "* * * * *", here or in defaults.yml';
    tell({ code: 'E503', path: [], message: '"cron_schedule" is missing', hint });
    return schedule;
  }
  try {
    const { intervalMs } = parseCron(cron, timezone, id);
    adviseTimeout(given.timeout ?? TIMEOUT_MS, intervalMs, tell);
    checkSplay(given.splay, intervalMs, tell);
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    const path = [/time zone/.test(error.message) ? 'timezone' : 'cron_schedule'];
    tell({ code: 'E504', path, message: error.message });
  }
  return schedule;
};

const adviseTimeout = (timeoutMs: number, intervalMs: number, tell: Tell): void => {
  if (timeoutMs <= intervalMs) return;
  const message = `the timeout of ${timeoutMs / 1000} s is longer than the interval of ${intervalMs / 1000} s`;
  tell({
    code: 'I205',
    path: ['timeout'],
    message,
    hint: 'ticks that fall due meanwhile are skipped',
  });
};

const checkSplay = (splayMs: number | undefined, intervalMs: number, tell: Tell): void => {
  if (splayMs === undefined || splayMs <= intervalMs) return;
  const message = `splay must not be longer than the interval of ${intervalMs / 1000} s`;
  tell({ code: 'E510', path: ['splay'], message });
};

const REDIRECTS = { true: DEFAULTS.follow_redirects, false: 0 } as const;

const requestOf = (key: string, given: CheckInput, tell: Tell): HttpRequest => {
  const { scheme = DEFAULTS.scheme, url, body, method = DEFAULTS.method } = given;
  checkTarget(key, given, tell);
  const odd = methodProblem(method);
  if (odd) tell({ code: 'E502', path: ['method'], message: odd });
  const auth = authOf(given, tell);
  const tls = tlsOf(given, tell);
  const redirects = given.follow_redirects ?? DEFAULTS.follow_redirects;
  return {
    scheme,
    ...(url === undefined ? {} : { url }),
    method,
    headers: headersOf(given, tell),
    ...(body === undefined ? {} : { body }),
    ...(auth ? { auth } : {}),
    timeoutMs: given.timeout ?? TIMEOUT_MS,
    followRedirects: typeof redirects === 'boolean' ? REDIRECTS[`${redirects}`] : redirects,
    ...(tls ? { tls } : {}),
    ipFamily: given.ip_family ?? DEFAULTS.ip_family,
    connection: given.connection ?? DEFAULTS.connection,
  };
};

const checkTarget = (key: string, { scheme, url }: CheckInput, tell: Tell): void => {
  const problem = url === undefined ? keyProblem(scheme ?? DEFAULTS.scheme, key) : urlProblem(url);
  if (problem)
    tell({ ...problem, path: url === undefined ? [] : ['url'], atKey: url === undefined });
  if (url !== undefined && scheme !== undefined)
    tell({ code: 'E510', path: ['scheme'], message: 'the url has a scheme: drop this one' });
};

const headersOf = ({ headers = {}, auth }: CheckInput, tell: Tell): HttpRequest['headers'] => {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const path = ['headers', name];
    const lower = name.toLowerCase();
    const problem = headerProblem(name, value);
    if (problem) tell({ ...problem, path, atKey: true });
    if (seen.has(lower))
      tell({ code: 'E506', path, atKey: true, message: `${name} is here twice` });
    if (auth && lower === 'authorization')
      tell({
        code: 'E510',
        path,
        atKey: true,
        message: 'auth sets Authorization: give one of them',
      });
    if (isSecretHeader(name)) checkSecret(value, path, tell);
    seen.add(lower);
  }
  return Object.entries(headers);
};

const authOf = ({ auth }: CheckInput, tell: Tell): Auth | undefined => {
  if (!auth) return undefined;
  const { basic, bearer } = auth;
  if (basic && bearer !== undefined)
    tell({ code: 'E510', path: ['auth'], message: 'basic and bearer exclude each other' });
  if (bearer !== undefined) {
    checkSecret(bearer, ['auth', 'bearer'], tell);
    return { kind: 'bearer', token: bearer };
  }
  if (basic) {
    checkSecret(basic.password, ['auth', 'basic', 'password'], tell);
    return { kind: 'basic', ...basic };
  }
  tell({ code: 'E503', path: ['auth'], message: 'auth is empty: give basic or bearer' });
  return undefined;
};

const tlsOf = ({ tls }: CheckInput, tell: Tell): HttpRequest['tls'] => {
  if (!tls) return undefined;
  const { ca, cert, key, insecure } = tls;
  for (const [name, path] of Object.entries({ ca, cert, key })) {
    if (!path?.includes('-----BEGIN')) continue;
    const message = `${name} is the path of a PEM file, not what is in it`;
    tell({ code: 'E502', path: ['tls', name], message });
  }
  if ((cert === undefined) !== (key === undefined))
    tell({ code: 'E510', path: ['tls'], message: 'cert and key need each other' });
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(insecure === undefined ? {} : { insecure }),
  };
};
