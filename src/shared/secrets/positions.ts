/**
 * Where the secrets of a check stand: the one list that the advice about secrets in files and their
 * sealing share. Not in it is what only may be one, such as a body or the query of a URL.
 */

import type { Auth, CheckSpec, PostSettings, SecretText } from '../domain/check.ts';

const SECRET_HEADER =
  /^(?:authorization|cookie|proxy-authorization|.*(?:api-?key|token|secret).*)$/i;

export const isSecretHeader = (name: string): boolean => SECRET_HEADER.test(name);

type Change = (text: SecretText) => SecretText;

/** The same spec with each of its secrets changed. */
export const withSecrets = (spec: CheckSpec, change: Change): CheckSpec => {
  const { request, posts } = spec;
  const { headers, auth } = request;
  return {
    ...spec,
    request: {
      ...request,
      headers: headers.map(([name, value]) => [name, isSecretHeader(name) ? change(value) : value]),
      ...(auth ? { auth: authWith(auth, change) } : {}),
    },
    ...(posts ? { posts: postsWith(posts, change) } : {}),
  };
};

const authWith = (auth: Auth, change: Change): Auth =>
  auth.kind === 'basic'
    ? { ...auth, password: change(auth.password) }
    : { ...auth, token: change(auth.token) };

const postsWith = (posts: PostSettings, change: Change): PostSettings => {
  const { endpoint, service } = posts;
  const { apiKey } = endpoint ?? {};
  const { key, secret } = service ?? {};
  return {
    ...posts,
    ...(endpoint && apiKey
      ? { endpoint: { ...endpoint, apiKey: { ...apiKey, value: change(apiKey.value) } } }
      : {}),
    ...(service
      ? {
          service: {
            ...service,
            ...(key === undefined ? {} : { key: change(key) }),
            ...(secret === undefined ? {} : { secret: change(secret) }),
          },
        }
      : {}),
  };
};
