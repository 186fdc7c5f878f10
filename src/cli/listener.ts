/** Where a run listens and who may ask it: settings → **listener**, its files and secrets read. */

import { readFile } from 'node:fs/promises';
import type { AppOptions } from '../app.ts';
import type { Settings } from '../shared/config/settings.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { parseListen, type TlsFiles } from '../shared/http/listen.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { createSecrets } from '../shared/secrets/resolve.ts';
import type { Session } from './session.ts';

export type Listener = Required<Pick<AppOptions, 'listen' | 'tls' | 'token'>> & {
  readonly listen: NonNullable<AppOptions['listen']>;
};

/** Throws WCH_SETTINGS, and WCH_SECRET for a token that cannot be read. */
export const listenerOf = async (session: Session): Promise<Listener> => ({
  listen: parseListen(session.settings.listen),
  tls: await tlsOf(session.settings),
  token: tokenOf(session),
});

const tlsOf = async ({ listenTls }: Settings): Promise<TlsFiles | undefined> => {
  if (listenTls === null) return undefined;
  const cert = await pem('listen_tls.cert', listenTls.cert);
  return { cert, key: await pem('listen_tls.key', listenTls.key) };
};

const pem = async (setting: string, path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new WatcherError('WCH_SETTINGS', `${setting}: ${path} cannot be read`, { cause });
  }
};

const tokenOf = ({ settings, redactor }: Session): string | undefined => {
  if (settings.listenToken === null) return undefined;
  const token = createSecrets({ clock: systemClock, env: process.env }).resolve(
    settings.listenToken,
  );
  if (token.trim() === '') throw new WatcherError('WCH_SETTINGS', 'listen_token: it is empty');
  redactor.register(token);
  return token;
};
