/**
 * One client of an AWS service: destination → **client** → the SDK. The SDK finds the endpoint and
 * the credentials, signs, compresses and reads the answer; what is sent is text that the destination
 * has encoded.
 */

import type { AwsAccess } from '../../domain/sink-settings.ts';
import type { Secrets } from '../../secrets/resolve.ts';
import type { DestinationContext, Outcome } from '../destination.ts';
import { type ConnectAgents, connectAgents } from './connect-agents.ts';
import { type AwsTarget, needsCredentials, outcomeOf } from './outcome.ts';

/** Makes one request of the body, once. Rejects with what the SDK rejects with. */
type SendBody<Answer> = (body: string, signal: AbortSignal) => Promise<Answer>;

/** Loads the SDK's package, which costs 84 ms and 23 MB, and makes a client. */
export type AwsService<Answer> = (config: ClientConfig) => Promise<SendBody<Answer>>;

type ClientConfig = ReturnType<typeof configOf>;

const CONNECTION_TIMEOUT_MS = 3_000;
/**
 * For everything, from the credentials to the last byte of the answer: the SDK has no limit of its
 * own, and its `requestTimeout` only warns, and ends with the answer's headers.
 */
const CALL_TIMEOUT_MS = 10_000;

export interface AwsClientOptions<Answer> {
  readonly service: AwsService<Answer>;
  readonly access: AwsAccess;
  readonly target: AwsTarget;
  readonly context: Pick<DestinationContext, 'clock' | 'secrets' | 'connectTo'>;
}

/** Costs nothing before its first call. */
export class AwsClient<Answer> implements AsyncDisposable {
  readonly #options: AwsClientOptions<Answer>;
  #agents: ConnectAgents | null = null;
  #sender: Promise<SendBody<Answer>> | null = null;

  constructor(options: AwsClientOptions<Answer>) {
    this.#options = options;
  }

  /** Never rejects. `judge` tells what an answer with HTTP 200 means. */
  async send(
    body: string,
    signal: AbortSignal,
    judge: (answer: Answer) => Outcome,
  ): Promise<Outcome> {
    try {
      return judge(await this.#answer(body, signal));
    } catch (error) {
      const { target, context } = this.#options;
      const outcome = outcomeOf(error, target, context.clock.now());
      // The next call makes a client that asks for them anew, wherever they come from.
      if (needsCredentials(error, outcome)) this.#sender = null;
      return outcome;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agents?.httpAgent.destroy();
    this.#agents?.httpsAgent.destroy();
  }

  /** Rejects with the SDK's error, a TimeoutError after 10 s, or the signal's reason. */
  async #answer(body: string, signal: AbortSignal): Promise<Answer> {
    const ended = new AbortController();
    const end = () => ended.abort(signal.reason);
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    const { clock } = this.#options.context;
    const timer = clock.after(CALL_TIMEOUT_MS, () => ended.abort(timeout()));
    try {
      // The SDK hears of an abort too, but not while it waits for credentials.
      return await Promise.race([rejectionOf(ended.signal), this.#request(body, ended.signal)]);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', end);
    }
  }

  async #request(body: string, signal: AbortSignal): Promise<Answer> {
    const { service, access, context } = this.#options;
    this.#agents ??= connectAgents(context.connectTo);
    this.#sender ??= service(configOf(access, context.secrets, this.#agents));
    const send = await this.#sender;
    return send(body, signal);
  }
}

const configOf = ({ region, key, secret }: AwsAccess, secrets: Secrets, agents: ConnectAgents) => ({
  region,
  // The delivery repeats: a second layer of retries would hold its place and hide the failures.
  maxAttempts: 1,
  requestHandler: { ...agents, connectionTimeout: CONNECTION_TIMEOUT_MS },
  // For the default chain: credentials that were renewed in a file are in use at the next attempt.
  ignoreCache: true,
  ...(key === undefined || secret === undefined
    ? {}
    : { credentials: credentialsOf(key, secret, secrets) }),
});

/** Marked as memoized, or the SDK would keep the first answer for ever, as it has no end. */
const credentialsOf = (key: string, secret: string, secrets: Secrets) =>
  Object.assign(
    async () => ({ accessKeyId: secrets.resolve(key), secretAccessKey: secrets.resolve(secret) }),
    { memoized: true },
  );

const timeout = (): Error =>
  Object.assign(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`), { name: 'TimeoutError' });

const rejectionOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

/**
 * A command carries no input; the text takes the place of its body before it is measured and signed.
 * Returns the headers. The SDK's own serializer costs ten times as much.
 */
export const replaceBody = (
  request: unknown,
  body: string | Uint8Array,
  contentType: string,
): Record<string, string> => {
  const { headers } = request as { headers: Record<string, string> };
  if (headers['content-type'] !== contentType)
    throw new Error(`this version of the AWS SDK does not send ${contentType}`);
  (request as { body: string | Uint8Array }).body = body;
  return headers;
};

/** Right behind the SDK's serializer. */
export const AFTER_SERIALIZER = { step: 'serialize', priority: 'low' } as const;
