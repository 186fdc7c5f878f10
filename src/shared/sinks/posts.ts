/** `post_*` of a check file → where its results go, and what each becomes there. */

import type { PostSettings } from '../domain/check.ts';
import {
  compileEndpointPost,
  compileEventPost,
  compileMetricsPost,
  type PostRenderer,
} from '../rules/render.ts';
import { cloudWatchPostDestination } from './aws/cloudwatch.ts';
import { eventBridgePostDestination } from './aws/eventbridge.ts';
import type { Destination, DestinationContext } from './destination.ts';
import { endpointDestination } from './post-endpoint.ts';

export interface Post {
  /** Costs nothing until it is used: another one with the same id may be in use already. */
  readonly destination: Destination;
  readonly render: PostRenderer;
}

export const postsOf = (
  { endpoint, service, on }: PostSettings,
  context: DestinationContext,
): readonly Post[] => {
  const posts: Post[] = [];
  for (const secret of [endpoint?.apiKey?.value, service?.key, service?.secret])
    if (secret !== undefined) context.secrets.hide(secret);
  const add = (render: PostRenderer | null, destination: () => Destination): void => {
    if (render) posts.push({ render, destination: destination() });
  };
  if (endpoint)
    add(compileEndpointPost(endpoint, on), () => endpointDestination(endpoint, context));
  if (service) {
    add(compileMetricsPost(service, on), () => cloudWatchPostDestination(service, context));
    add(compileEventPost(service, on), () => eventBridgePostDestination(service, context));
  }
  return posts;
};
