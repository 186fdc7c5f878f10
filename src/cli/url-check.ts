/** A URL of the command line as a check: 2xx and 3xx are ok, every ten seconds. */

import { checkId } from '../shared/config/check-id.ts';
import type { CheckDefinition } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';

const EVERY_TEN_SECONDS = '*/10 * * * * *';

/** Throws WCH_USAGE for what is no URL. */
export const urlCheck = (text: string): CheckDefinition => {
  const url = URL.parse(text);
  if (url === null) throw new WatcherError('WCH_USAGE', `'${text}' is not a URL`);
  const key = url.host + url.pathname + url.search;
  return {
    id: checkId(key),
    key,
    spec: {
      kind: 'http',
      schedule: { cron: EVERY_TEN_SECONDS, timezone: 'UTC', splayMs: 0 },
      request: {
        scheme: url.protocol === 'https:' ? 'https' : 'http',
        method: 'GET',
        headers: [],
        timeoutMs: 10_000,
        followRedirects: 5,
        ipFamily: 'any',
        connection: 'fresh',
      },
      values: [],
      assertions: [],
      failAfter: 1,
    },
  };
};
