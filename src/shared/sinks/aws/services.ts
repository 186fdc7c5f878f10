/** The two services that watcher sends to, each one operation. The only file that loads the SDK. */

import type { PutEventsCommandOutput } from '@aws-sdk/client-eventbridge';
import { AFTER_SERIALIZER, type AwsService, replaceBody } from './client.ts';

export const cloudWatchService: AwsService<unknown> = async (config) => {
  const { CloudWatchClient, PutMetricDataCommand } = await import('@aws-sdk/client-cloudwatch');
  const client = new CloudWatchClient(config);
  return (body, abortSignal) => {
    const command = new PutMetricDataCommand({ Namespace: undefined, MetricData: undefined });
    command.middlewareStack.add(
      (next) => (args) => {
        replaceBody(args.request, body, 'application/x-amz-json-1.0');
        return next(args);
      },
      AFTER_SERIALIZER,
    );
    return client.send(command, { abortSignal });
  };
};

export const eventBridgeService: AwsService<PutEventsCommandOutput> = async (config) => {
  const { EventBridgeClient, PutEventsCommand } = await import('@aws-sdk/client-eventbridge');
  const client = new EventBridgeClient(config);
  return (body, abortSignal) => {
    const command = new PutEventsCommand({ Entries: undefined });
    command.middlewareStack.add(
      (next) => (args) => {
        replaceBody(args.request, body, 'application/x-amz-json-1.1');
        return next(args);
      },
      AFTER_SERIALIZER,
    );
    return client.send(command, { abortSignal });
  };
};
