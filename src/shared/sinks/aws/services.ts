/** The two services that watcher sends to, each one operation. The only file that loads the SDK. */

import { gzipSync } from 'node:zlib';
import type { PutEventsCommandOutput } from '@aws-sdk/client-eventbridge';
import { AFTER_SERIALIZER, type AwsService, replaceBody } from './client.ts';

/** As the SDK has it. */
const COMPRESSED_FROM = 10_240;
/** The SDK's own compression is at level 6, which takes four times as long for a sixth less. */
const GZIP = { level: 1 };

export const cloudWatchService: AwsService<unknown> = async (config) => {
  const { CloudWatchClient, PutMetricDataCommand } = await import('@aws-sdk/client-cloudwatch');
  const client = new CloudWatchClient({ ...config, disableRequestCompression: true });
  return (body, abortSignal) => {
    const command = new PutMetricDataCommand({ Namespace: undefined, MetricData: undefined });
    command.middlewareStack.add(
      (next) => (args) => {
        const headers = replaceBody(args.request, body, 'application/x-amz-json-1.0');
        if (body.length >= COMPRESSED_FROM) {
          headers['content-encoding'] = 'gzip';
          replaceBody(args.request, gzipSync(body, GZIP), 'application/x-amz-json-1.0');
        }
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
