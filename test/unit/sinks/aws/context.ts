/** What destinations of AWS are made with in tests: the double's key behind references. */

import type { Emission, PostBody } from '../../../../src/shared/domain/delivery.ts';
import { systemClock } from '../../../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../../../src/shared/secrets/resolve.ts';
import type {
  Destination,
  DestinationContext,
  Item,
} from '../../../../src/shared/sinks/destination.ts';
import { ACCESS_KEY, SECRET_KEY } from '../../../support/aws-double.ts';

export const ACCESS = { region: 'eu-west-1', key: '${env:KEY}', secret: '${env:SECRET}' } as const;

export const NEVER = new AbortController().signal;

/** Changing `env` rotates a key. */
export const aContext = (
  overrides: Partial<DestinationContext> = {},
  env: Record<string, string> = { KEY: ACCESS_KEY, SECRET: SECRET_KEY },
): DestinationContext => {
  const { clock = systemClock } = overrides;
  return {
    clock,
    secrets: createSecrets({ clock, env }),
    http: {
      call: () => Promise.reject(new Error('AWS has a client of its own')),
      uses: () => false,
      reach: () => Promise.reject(new Error('AWS has a client of its own')),
      [Symbol.asyncDispose]: async () => {},
    },
    connectTo: () => null,
    host: 'host-1',
    ...overrides,
  };
};

let seq = 0;
export const anItem = (emission: Emission, body: PostBody | null = null): Item => {
  seq += 1;
  return { seq, emission, body };
};

/** What an environment of the person who runs the tests must not decide. */
export const AWS_ENV: Readonly<Record<string, string | undefined>> = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/nonexistent/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_ACCESS_KEY_ID: undefined,
  AWS_SECRET_ACCESS_KEY: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_PROFILE: undefined,
  AWS_ENDPOINT_URL: undefined,
  AWS_ENDPOINT_URL_CLOUDWATCH: undefined,
  AWS_ENDPOINT_URL_EVENTBRIDGE: undefined,
};

/** Encodes and sends, call after call. */
export const deliver = async (destination: Destination<string>, items: readonly Item[]) => {
  const outcomes = [];
  for (const call of destination.encode(items)) outcomes.push(await destination.send(call, NEVER));
  return outcomes;
};
