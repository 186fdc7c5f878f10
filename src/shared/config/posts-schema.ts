/** The keys by which a check file says where its results are posted. */

import { z } from 'zod';
import { REFERENCE_FORMS } from '../secrets/reference.ts';
import { choice, jsonMap, secret, text } from './fields.ts';

/** Where nothing else is said, and told to whoever left it out. */
export const DEFAULT_REGION = 'us-east-1';

const apiKeySchema = z
  .strictObject({
    param_name: text({ about: 'Name of the parameter, header or field that takes the key.' }),
    param_value: secret({ about: `The key: ${REFERENCE_FORMS}.` }),
    in: choice(['query', 'header', 'bearer', 'basic', 'body'], {
      about: 'Where the key goes.',
      default: 'query',
    }).optional(),
  })
  .meta({ description: 'How the endpoint knows us.' });

const endpointSchema = z
  .strictObject({
    url: text({ about: 'Where the JSON is posted to; http or https.' }),
    post_api_key: apiKeySchema.optional(),
    post_json_info: jsonMap({
      about: 'The JSON to post. {name} stands for a value of the response; {{ and }} for braces.',
    }).optional(),
  })
  .meta({ id: 'post_endpoint', description: 'Posts each result to an HTTP endpoint.' });

const serviceSchema = z
  .strictObject({
    service: choice(['aws-cloudwatch', 'aws-cloudwatch-metrics', 'aws-eventbridge'], {
      about: 'aws-cloudwatch puts metrics, and an event where there is a data_detail_type.',
    }),
    aws_region: text({ about: 'AWS region.', default: DEFAULT_REGION }).optional(),
    aws_key: secret({
      about: 'Access key id; without it the default credential chain.',
    }).optional(),
    aws_secret: secret({ about: 'Secret access key.' }).optional(),
    data_source: text({ about: 'Source of the event, or dimension of the metrics.' }).optional(),
    data_detail_type: text({ about: 'DetailType of the event.' }).optional(),
    data_details_json: jsonMap({
      about: 'Detail of the event. {name} stands for a value of the response.',
    }).optional(),
    data_resources: z
      .array(text({ about: 'An ARN.' }), { error: 'must be a list' })
      .meta({ description: 'Resources of the event.' })
      .optional(),
  })
  .meta({ id: 'post_service', description: 'Puts each result to a service of AWS.' });

/** Keys that checks and `self` blocks share. */
export const postKeys = {
  post_endpoint: endpointSchema.optional(),
  post_service: serviceSchema.optional(),
  post_on: choice(['every', 'success'], {
    about: 'Which runs are posted: every one, or those that are ok.',
    default: 'every',
  }).optional(),
};

export type EndpointInput = z.output<typeof endpointSchema>;
export type ServiceInput = z.output<typeof serviceSchema>;
export interface PostsInput {
  readonly post_endpoint?: EndpointInput | undefined;
  readonly post_service?: ServiceInput | undefined;
  readonly post_on?: 'every' | 'success' | undefined;
}
