/** A URL of the command line as a check, by the rules and defaults of check files. */

import { definitionOf } from '../shared/config/definition.ts';
import type { CheckDefinition } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';

const EVERY_TEN_SECONDS = '*/10 * * * * *';

/** Its key is the URL without its scheme. Throws WCH_USAGE for a URL that is never checked. */
export const urlCheck = (url: string): CheckDefinition => {
  const key = url.replace(/^https?:\/\//i, '');
  return definitionOf(key, { url, cron_schedule: EVERY_TEN_SECONDS }, ({ code, message }) => {
    if (code.startsWith('E')) throw new WatcherError('WCH_USAGE', `${url}: ${message}`);
  });
};
