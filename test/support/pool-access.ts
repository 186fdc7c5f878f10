/** How the members of a test's pool come into etcd: by nothing, by certificates, or as users of it. */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeCertificate } from './certificates.ts';
import { base64, type EtcdMember, type EtcdOptions } from './etcd.ts';
import type { LedgerAccess } from './pool-ledger.ts';

export interface PoolAccess {
  readonly server: Pick<EtcdOptions, 'tls'>;
  readonly client: Omit<LedgerAccess, 'endpoints'>;
  /** Of both commands. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const PREFIX = '/watcher/v1/';
const USER = { name: 'watcher', password: 'secret of the pool' };
const ROOT = { name: 'root', password: 'secret of the operator' };
const ROLE = { user: USER.name, role: 'pool' };

export const openAccess: PoolAccess = { server: {}, client: {}, args: [], env: {} };

export const userAccess: PoolAccess = {
  server: {},
  client: { auth: { username: USER.name, password: USER.password } },
  args: ['--etcd-auth-username', USER.name],
  env: { WATCHER_ETCD_AUTH_PASSWORD: USER.password },
};

/** From then on the pool may do what it needs, and nothing else. */
export async function addUsers(member: EtcdMember): Promise<void> {
  const end = `${PREFIX.slice(0, -1)}0`;
  const perm = { permType: 2, key: base64(PREFIX), range_end: base64(end) };
  await member.post('auth/user/add', ROOT);
  await member.post('auth/user/grant', { user: ROOT.name, role: 'root' });
  await member.post('auth/user/add', USER);
  await member.post('auth/role/add', { name: ROLE.role });
  await member.post('auth/role/grant', { name: ROLE.role, perm });
  await member.post('auth/user/grant', ROLE);
  await member.post('auth/enable', {});
}

export const revokeRole = (member: EtcdMember): Promise<void> =>
  asRoot(member, 'auth/user/revoke', { name: ROLE.user, role: ROLE.role });
export const grantRole = (member: EtcdMember): Promise<void> =>
  asRoot(member, 'auth/user/grant', ROLE);
/** It means nothing, but for every token that was given before. */
export const addStranger = (member: EtcdMember): Promise<void> =>
  asRoot(member, 'auth/user/add', { name: 'stranger', password: 'x' });

async function asRoot(member: EtcdMember, call: string, body: unknown): Promise<void> {
  const { token } = await member.post('auth/authenticate', ROOT);
  await member.post(call, body, String(token));
}

export interface Certificates extends PoolAccess {
  /** New ones in the same files, of the same authority. */
  rotate(): Promise<void>;
}

/** On both sides of every connection. */
export async function certificatesIn(folder: string): Promise<Certificates> {
  const issuer = makeCertificate({ isAuthority: true, name: 'pool authority' });
  const place = (name: string): string => path.join(folder, name);
  const write = (name: string, text: string) => writeFile(place(name), text, { mode: 0o600 });
  const rotate = async (): Promise<void> => {
    for (const [name, subject] of [
      ['server', 'etcd'],
      ['client', 'watcher'],
    ] as const) {
      const { cert, key } = makeCertificate({ issuer, name: subject });
      await write(`${name}.crt`, cert);
      await write(`${name}.key`, key);
    }
  };
  await write('ca.crt', issuer.cert);
  await rotate();
  const [ca, cert, key] = [place('ca.crt'), place('client.crt'), place('client.key')];
  return {
    server: { tls: { cert: place('server.crt'), key: place('server.key'), clientCa: ca } },
    client: { tls: { caFile: ca, certFile: cert, keyFile: key } },
    args: ['--etcd-tls-ca', ca, '--etcd-tls-cert', cert, '--etcd-tls-key', key],
    env: {},
    rotate,
  };
}
