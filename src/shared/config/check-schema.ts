/**
 * The grammar of a check file, key by key: the one place from which files are checked, the JSON
 * Schema for editors is made, and docs/configuration.md and configs/README.md are tested.
 * Defaults are only told here; definition.ts applies them, after those of the folder.
 */

import { z } from 'zod';
import { REFERENCE_FORMS } from '../secrets/reference.ts';
import {
  anything,
  choice,
  decimal,
  duration,
  flag,
  integer,
  oneOrMany,
  secret,
  text,
  zone,
} from './fields.ts';
import { postKeys } from './posts-schema.ts';

const HOUR = 3_600_000;

/** The built-in defaults, in the words of a check file. */
export const DEFAULTS = {
  scheme: 'https',
  method: 'GET',
  timeout: '10s',
  follow_redirects: 5,
  ip_family: 'any',
  connection: 'fresh',
  fail_after: 1,
  timezone: 'UTC',
  splay: '60s',
  post_on: 'every',
} as const;

const testSchema = z
  .strictObject({
    key: text({ about: 'A value of the JSON response: a name or a JSONPath.' }).optional(),
    value: anything({ about: 'The value is this, by its text. The same as equals.' }).optional(),
    equals: anything({ about: 'The value is this, by its text.' }).optional(),
    not: anything({ about: 'The value is not this.' }).optional(),
    in: z
      .array(z.json(), { error: 'must be a list' })
      .meta({ description: 'The value is one of these.' })
      .optional(),
    matches: text({ about: 'The pattern (RE2 syntax) is found in the value.' }).optional(),
    not_matches: text({ about: 'The pattern is not found in the value.' }).optional(),
    lt: decimal({ about: 'The value is a number less than this.' }).optional(),
    lte: decimal({ about: 'The value is a number, at most this.' }).optional(),
    gt: decimal({ about: 'The value is a number greater than this.' }).optional(),
    gte: decimal({ about: 'The value is a number, at least this.' }).optional(),
    exists: flag({ about: 'The response has the value, or with false has not.' }).optional(),
    strict: flag({ about: 'Compare JSON types too.', default: false }).optional(),
    http_status: oneOrMany(
      z.union([z.int(), z.string()], { error: 'must be a status such as 200 or "2xx"' }),
      'The HTTP status is one of these: codes and classes such as "2xx".',
    ).optional(),
    max_response_time: duration({
      about: 'The run takes no longer.',
      min: 1,
      max: HOUR,
    }).optional(),
    body_match: text({ about: 'The pattern (RE2 syntax) is found in the body.' }).optional(),
    invert: flag({ about: 'body_match must not be found.', default: false }).optional(),
  })
  .meta({ id: 'test', description: 'What a response must fulfil. All that is given must hold.' });

const authSchema = z
  .strictObject({
    basic: z
      .strictObject({
        username: secret({ about: 'User name.' }),
        password: secret({ about: `Password: ${REFERENCE_FORMS}.` }),
      })
      .meta({ description: 'HTTP basic authentication.' })
      .optional(),
    bearer: secret({ about: `Bearer token: ${REFERENCE_FORMS}.` }).optional(),
  })
  .meta({ description: 'How the target knows us: basic or bearer.' });

const tlsSchema = z
  .strictObject({
    ca: text({ about: 'Path of a PEM file of authorities to trust instead.' }).optional(),
    cert: text({ about: 'Path of a PEM file with a client certificate.' }).optional(),
    key: text({ about: 'Path of a PEM file with its key.' }).optional(),
    insecure: flag({ about: 'Accept any certificate.', default: false }).optional(),
  })
  .meta({ description: 'TLS towards the target.' });

const valueSchema = z.union([
  text({ about: 'A name or a JSONPath.' }),
  z.record(z.string(), text({ about: 'A JSONPath.' })).meta({ description: 'name: JSONPath' }),
]);

/** Keys of a schedule, shared by checks and `self` blocks. */
const scheduleKeys = {
  cron_schedule: z
    .string({ error: 'must be a cron expression in quotes, such as "* * * * *"' })
    .meta({
      description: 'When: five fields, six with a second in front, or a name such as @hourly.',
    })
    .optional(),
  timezone: z
    .string({ error: 'must be the name of a time zone, such as Europe/Berlin' })
    .meta({ description: 'Time zone of cron_schedule.', default: DEFAULTS.timezone })
    .optional(),
  splay: duration({
    about: 'Width of the window over which checks with the same cron are spread; 0s: none.',
    default: DEFAULTS.splay,
    min: 0,
    max: 24 * HOUR,
  }).optional(),
};

export const checkSchema = z
  .strictObject({
    ...scheduleKeys,
    scheme: choice(['http', 'https'], {
      about: 'Joins the key to a URL.',
      default: DEFAULTS.scheme,
    }).optional(),
    url: text({ about: 'The whole URL; the key is then a free name.' }).optional(),
    method: text({ about: 'HTTP method.', default: DEFAULTS.method }).optional(),
    headers: z
      .record(z.string(), text({ about: 'Value of the header.' }), { error: 'must be a map' })
      .meta({ description: 'Request headers. Host may be overridden.' })
      .optional(),
    body: text({ about: 'Request body, sent as it stands.' }).optional(),
    auth: authSchema.optional(),
    timeout: duration({
      about: 'For the whole run, redirects included.',
      default: DEFAULTS.timeout,
      min: 1,
      max: HOUR,
    }).optional(),
    follow_redirects: z
      .union([z.boolean(), z.int().min(0).max(10)], {
        error: 'must be true, false or a number from 0 to 10',
      })
      .meta({
        description: 'How many redirects are followed; false is 0, true is 5.',
        default: DEFAULTS.follow_redirects,
      })
      .optional(),
    tls: tlsSchema.optional(),
    ip_family: choice(['any', 4, 6], {
      about: 'Which addresses of the host are used.',
      default: DEFAULTS.ip_family,
    }).optional(),
    connection: choice(['fresh', 'reuse'], {
      about: 'A connection for each run, as users have it, or a kept one.',
      default: DEFAULTS.connection,
    }).optional(),
    response_json_values: oneOrMany(
      valueSchema,
      'Values of the JSON response: names, JSONPaths, or maps {name: JSONPath}.',
    ).optional(),
    success_test: oneOrMany(
      testSchema,
      'What a response must fulfil; without it the HTTP status is 200 to 399.',
    ).optional(),
    fail_after: integer({
      about: 'Critical from this many bad runs in a row on; warning before.',
      default: DEFAULTS.fail_after,
      min: 1,
      max: 1000,
    }).optional(),
    zone: zone({ about: 'Only workers of this zone run the check; without it, any.' }).optional(),
    on_coordination_loss: choice(['run', 'stop'], {
      about:
        'While its worker cannot reach etcd: go on, or skip. Without it, GET and HEAD run and the rest stops.',
    }).optional(),
    ...postKeys,
  })
  .meta({
    id: 'check',
    description: 'A check: what is asked, when, and what answer is a success.',
  });

export const selfSchema = z.strictObject({ ...scheduleKeys, ...postKeys }).meta({
  id: 'self',
  description: "Where watcher's own health is posted; each minute without a schedule.",
});

export type CheckInput = z.output<typeof checkSchema>;
export type TestInput = z.output<typeof testSchema>;
export type ValueInput = z.output<typeof valueSchema>;
export type SelfInput = z.output<typeof selfSchema>;
