import { expect, it } from 'vitest';
import { WatcherError } from '../../../../src/shared/domain/errors.ts';
import type { Outcome } from '../../../../src/shared/sinks/destination.ts';
import { HttpFailure } from '../../../../src/shared/sinks/http/failure.ts';
import { outcomeOf, outcomeOfFailure } from '../../../../src/shared/sinks/http/outcome.ts';
import type { HttpAnswer } from '../../../../src/shared/sinks/http/transport.ts';

const NOW = Date.UTC(2026, 10, 21);
const JSON_TYPE = { 'content-type': 'application/json' };

const outcome = (status: number, body = '', headers: HttpAnswer['headers'] = {}): Outcome =>
  outcomeOf({ status, body, headers }, NOW);

const reasonOf = (found: Outcome): string => ('reason' in found ? found.reason : '');

it.each([
  [200, ''],
  [202, '{"errors":[]}'],
  [202, '{"status":"ok","event":{"id":1}}'],
  [200, 'ok'],
  [200, '{"error":null}'],
  [200, '{"error":""}'],
  [200, '{"error":false,"errors":{}}'],
  [200, '{"errors":0}'],
  [200, '{"status":"failed checks: 0"}'],
  [200, '{"truncated":"{'],
  [200, '["errors"]'],
  [204, ''],
])('takes HTTP %i with %j as delivered', (status, body) => {
  expect(outcome(status, body, JSON_TYPE)).toEqual({ kind: 'delivered' });
});

it.each([
  ['<html><body>log in</body></html>', {}],
  ['\n<!DOCTYPE html>', {}],
  ['\uFEFF<!doctype html>', {}],
  ['log in', { 'content-type': 'text/html; charset=utf-8' }],
  ['<?xml version="1.0"?>', { 'content-type': 'application/xhtml+xml' }],
  ['{"errors":["bad point"]}', {}],
  ['{"errors":{"a":1}}', {}],
  ['{"errors":true}', {}],
  [' {"error":"invalid_auth"}', {}],
  ['{"error":{"code":7}}', {}],
  ['{"status":"error"}', {}],
])('never counts HTTP 200 with %j %j as delivered', (body, headers) => {
  expect(outcome(200, body, headers).kind).toBe('retry');
});

it.each([
  [301, 'denied'],
  [304, 'denied'],
  [307, 'denied'],
  [401, 'denied'],
  [402, 'denied'],
  [403, 'denied'],
  [404, 'denied'],
  [405, 'denied'],
  [410, 'denied'],
  [418, 'denied'],
  [408, 'retry'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'retry'],
  [502, 'retry'],
  [503, 'retry'],
  [599, 'retry'],
])('answers HTTP %i with %s', (status, kind) => {
  const found = outcome(status);
  expect(found.kind).toBe(kind);
  expect(reasonOf(found)).toContain(`HTTP ${status}`);
});

it.each([
  [400, 'refused'],
  [422, 'refused'],
  [413, 'size'],
])('splits a call that is answered with HTTP %i, and drops a single item as %s', (status, drop) => {
  expect(outcome(status)).toMatchObject({ kind: 'split', drop });
});

it.each([401, 403])('says of HTTP %i what to look at', (status) => {
  expect(reasonOf(outcome(status))).toBe(`HTTP ${status}: wrong key, or a key of another site`);
});

it('hands on how long a busy sink asks to be left alone', () => {
  expect(outcome(429, '', { 'retry-after': '7' })).toMatchObject({ kind: 'retry', afterMs: 7_000 });
  expect(outcome(503, '', { 'x-ratelimit-reset': '9' })).toMatchObject({ afterMs: 9_000 });
  expect(outcome(503)).not.toHaveProperty('afterMs');
});

it.each([
  ['https://evil.example:8443/path?api_key=secret', 'HTTP 302 to evil.example:8443: '],
  ['https://user:secret@evil.example/', 'HTTP 302 to evil.example: '],
  ['//evil.example/secret', 'HTTP 302 to evil.example: '],
  ['/elsewhere?secret', 'HTTP 302 to the same host: '],
  ['http://[secret', 'HTTP 302: '],
  [undefined, 'HTTP 302: '],
])('names of a redirect to %j no more than the host', (location, start) => {
  const reason = reasonOf(outcome(302, '', { location }));
  expect(reason).toBe(`${start}redirects are refused: a key would go elsewhere`);
});

it('repeats the start of a text in one line, and nothing of a page or of bytes', () => {
  const said = (body: string, type: string): string =>
    reasonOf(outcome(500, body, { 'content-type': type }));
  expect(said('{\n  "errors": ["no such org"]\n}', 'application/json')).toBe(
    'HTTP 500: { "errors": ["no such org"] }',
  );
  expect(said('{"a":1}', 'application/x-amz-json-1.0')).toBe('HTTP 500: {"a":1}');
  expect(said('{"a":1}', 'application/problem+json')).toBe('HTTP 500: {"a":1}');
  expect(said('busy\u001b[31m\u202e', 'text/plain')).toBe('HTTP 500: busy\\u{1b}[31m\\u{202e}');
  expect(said('<html>busy</html>', 'text/plain')).toBe('HTTP 500');
  expect(said('busy', 'text/html')).toBe('HTTP 500');
  expect(said('busy', 'application/octet-stream')).toBe('HTTP 500');
});

it('cuts a long text before the word that would be cut in two', () => {
  const body = `invalid key, ${'please '.repeat(14)}"0123456789abcdef0123456789abcdef"`;
  const reason = reasonOf(outcome(400, body, { 'content-type': 'text/plain' }));
  expect(reason).toMatch(/please "…$/);
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual('HTTP 400: '.length + 120);
});

it.each([
  ['ENOTFOUND', 'the name does not exist, says the resolver'],
  ['EAI_AGAIN', 'the resolver does not answer'],
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'TLS: the certificate is for another host'],
  ['EWHATEVER', 'no answer: EWHATEVER'],
])('tries again after %s, and says so without repeating the error', (code, reason) => {
  const error = Object.assign(new Error('https://host/?api_key=secret'), { code });
  expect(outcomeOfFailure(error)).toEqual({ kind: 'retry', reason });
  const all = new AggregateError([error, new Error('other')]);
  expect(outcomeOfFailure(all)).toEqual({ kind: 'retry', reason });
  expect(outcomeOfFailure(new Error('wrapped', { cause: error }))).toEqual({
    kind: 'retry',
    reason,
  });
});

it.each([
  [AbortSignal.abort().reason, 'the call was given up'],
  [new DOMException('late', 'TimeoutError'), 'no answer in time'],
  [new TypeError('secret'), 'no answer: TypeError'],
  ['secret', 'no answer'],
])('tries again after %s', (error, reason) => {
  expect(outcomeOfFailure(error)).toEqual({ kind: 'retry', reason });
});

it('waits for a person where a secret cannot be read or an address is refused', () => {
  const secret = new WatcherError('WCH_SECRET', '${env:KEY}: the variable is not set');
  expect(outcomeOfFailure(secret)).toEqual({ kind: 'denied', reason: secret.message });
  const refused = new HttpFailure('host:1: refused', { isFinal: true });
  expect(outcomeOfFailure(refused)).toEqual({ kind: 'denied', reason: 'host:1: refused' });
  const passing = new HttpFailure('host:1: connection refused');
  expect(outcomeOfFailure(passing)).toEqual({ kind: 'retry', reason: passing.message });
});
