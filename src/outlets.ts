/**
 * The second composition root: joins destinations to what they need. The app sends results through
 * them, `watcher doctor` asks each whether it would take any.
 */

import { hostname } from 'node:os';
import type { CheckDefinition, PostSettings, SelfDefinition } from './shared/domain/check.ts';
import type { SinkSettings } from './shared/domain/sink-settings.ts';
import { parseConnectTo } from './shared/rules/connect-to.ts';
import type { Clock } from './shared/runtime/clock.ts';
import { createLimiter } from './shared/runtime/limiter.ts';
import type { Log } from './shared/runtime/log.ts';
import type { Random } from './shared/runtime/random.ts';
import type { Secrets } from './shared/secrets/resolve.ts';
import type { Destination, DestinationContext } from './shared/sinks/destination.ts';
import { createHttpTransport } from './shared/sinks/http/undici-transport.ts';
import { destinationsOf } from './shared/sinks/kinds.ts';
import { postsOf } from './shared/sinks/posts.ts';
import { Router } from './shared/sinks/router.ts';

export interface OutletOptions {
  readonly clock: Clock;
  readonly secrets: Secrets;
  /** `HOST:PORT:ADDRESS:PORT`, as in curl. */
  readonly connectTo: readonly string[];
}

export interface RouterParts extends OutletOptions {
  readonly random: Random;
  readonly log: Log;
  readonly worker: string;
  readonly sinks: readonly SinkSettings[];
  readonly stateFolder: string | null;
  /** How long what is undelivered is still sent on the way out. */
  readonly finishMs: number;
  /** Takes secrets out of what sinks have answered. */
  readonly redact: (text: string) => string;
}

const contextOf = ({ clock, secrets, connectTo: rules }: OutletOptions): DestinationContext => {
  const connectTo = parseConnectTo(rules);
  const http = createHttpTransport({ clock, connectTo });
  return { clock, secrets, http, connectTo, host: hostname() };
};

/** Where results go, and whether an address is one of those that they go to. */
export interface Outlets extends AsyncDisposable {
  readonly router: Router;
  uses(address: string, port: number): boolean;
}

export const openOutlets = (parts: RouterParts): Outlets => {
  const context = contextOf(parts);
  const router = new Router({
    ...parts,
    poolWide: parts.sinks.flatMap((sink) => destinationsOf(sink, context)),
    postsOf: (posts) => postsOf(posts, context),
    limiter: () => createLimiter({ concurrency: 1 }),
  });
  return {
    router,
    uses: (address, port) => context.http.uses(address, port),
    [Symbol.asyncDispose]: async () => {
      await router[Symbol.asyncDispose]();
      await context.http[Symbol.asyncDispose]();
    },
  };
};

/** One destination, and who sends to it. */
export interface NamedDestination {
  readonly destination: Destination;
  /** `settings`, or the key of the first check, or `self`. */
  readonly usedBy: string;
}

/** Each distinct destination once. Disposing of them and of the context ends their connections. */
export const namedDestinations = (
  options: OutletOptions,
  sinks: readonly SinkSettings[],
  from: {
    readonly definitions: readonly CheckDefinition[];
    readonly selves: readonly SelfDefinition[];
  },
): { readonly all: readonly NamedDestination[]; readonly close: () => Promise<void> } => {
  const context = contextOf(options);
  const byId = new Map<string, NamedDestination>();
  const add = (destination: Destination, usedBy: string): void => {
    if (!byId.has(destination.id)) byId.set(destination.id, { destination, usedBy });
  };
  for (const sink of sinks)
    for (const destination of destinationsOf(sink, context)) add(destination, 'settings');
  const known = new Set<PostSettings>();
  const addPosts = (posts: PostSettings | undefined, usedBy: string): void => {
    if (posts === undefined || known.has(posts)) return;
    known.add(posts);
    for (const { destination } of postsOf(posts, context)) add(destination, usedBy);
  };
  for (const { spec, key } of from.definitions) addPosts(spec.posts, key);
  for (const { posts } of from.selves) addPosts(posts, 'self');
  const all = [...byId.values()];
  const close = async (): Promise<void> => {
    await Promise.all(all.map(({ destination }) => destination[Symbol.asyncDispose]()));
    await context.http[Symbol.asyncDispose]();
  };
  return { all, close };
};
