/**
 * What a check is. A definition is plain JSON: it is written by `config`, stored in the ledger
 * as it stands, and compiled by the worker that holds it.
 */

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** UUIDv5 of the check's key: reloading a folder keeps it. */
export type CheckId = Branded<string, 'CheckId'>;
export type JobsetId = Branded<string, 'JobsetId'>;
export type WorkerId = Branded<string, 'WorkerId'>;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Text that may hold `${env:NAME}` and `${file:PATH}`; only the worker resolves them, at use. */
export type SecretText = string;

/** When a check runs. A tick is a pure function of the check's id and this. */
export interface Schedule {
  /** Five fields (watcher picks the offset inside the minute), six (exact), or a known alias. */
  readonly cron: string;
  /** IANA name. */
  readonly timezone: string;
  /** Width of the window that the stable offset is taken from; 0 switches it off. */
  readonly splayMs: number;
}

export type Auth =
  | { readonly kind: 'basic'; readonly username: SecretText; readonly password: SecretText }
  | { readonly kind: 'bearer'; readonly token: SecretText };

/** PEM texts by file path; `insecure` accepts any certificate and says so in each result. */
export interface TlsSettings {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure?: boolean;
}

export interface HttpRequest {
  readonly scheme: 'http' | 'https';
  /** Whole URL where it is not `scheme://key`. */
  readonly url?: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: SecretText])[];
  readonly body?: SecretText;
  readonly auth?: Auth;
  /** For the whole run, redirects included. */
  readonly timeoutMs: number;
  /** How many redirects are followed; 0 judges the redirect itself. */
  readonly followRedirects: number;
  readonly tls?: TlsSettings;
  readonly ipFamily: 'any' | 4 | 6;
  readonly connection: 'fresh' | 'reuse';
}

/** A value taken from a JSON response: `name` is what the file calls it, `path` its JSONPath. */
export interface ValueQuery {
  readonly name: string;
  readonly path: string;
}

export type AssertionSource = 'json' | 'http_status' | 'body' | 'response_time';
export type Operator =
  | 'equals'
  | 'not'
  | 'in'
  | 'matches'
  | 'not_matches'
  | 'lt'
  | 'lte'
  | 'gt'
  | 'gte'
  | 'exists';

/** One condition on a response; every condition of a check must hold. */
export interface Assertion {
  readonly source: AssertionSource;
  /** For `json`: the value's name and path. */
  readonly value?: ValueQuery;
  readonly operator: Operator;
  /** For `response_time` in milliseconds; for `http_status` a list of codes and classes ("2xx"). */
  readonly operand: JsonValue;
  /** Compare JSON types too, not only the texts. */
  readonly strict?: boolean;
}

/** Where a key for a `post_endpoint` goes. */
export type ApiKeyPlace = 'query' | 'header' | 'bearer' | 'basic' | 'body';

/** Any HTTP endpoint that takes JSON. `{name}` in `body` stands for a value of the response. */
export interface PostEndpoint {
  readonly url: SecretText;
  readonly apiKey?: { readonly name: string; readonly value: SecretText; readonly in: ApiKeyPlace };
  readonly body: { readonly [key: string]: JsonValue };
}

/** `aws-cloudwatch` puts metrics, and an event where there is a detail type. */
export type PostServiceName = 'aws-cloudwatch' | 'aws-cloudwatch-metrics' | 'aws-eventbridge';

/** AWS; without keys the default credential chain. `{name}` stands for a value of the response. */
export interface PostService {
  readonly service: PostServiceName;
  readonly region: string;
  readonly key?: SecretText;
  readonly secret?: SecretText;
  readonly source?: string;
  readonly detailType?: string;
  readonly detail?: { readonly [key: string]: JsonValue };
  readonly resources?: readonly string[];
}

/** Where a check file wants its results posted, as configured (rendered by the sinks). */
export interface PostSettings {
  readonly endpoint?: PostEndpoint;
  readonly service?: PostService;
  readonly on: 'every' | 'success';
}

/** What a worker does with a check when it cannot tell whether it still owns it. */
export type OnCoordinationLoss = 'run' | 'stop';

/** What a spec of any kind says. */
interface AnySpec {
  readonly schedule: Schedule;
  /** Critical from this many bad runs in a row on; warning before. */
  readonly failAfter: number;
  /** `run`: it goes on, and two workers may ask at once; `stop`: its ticks are skipped. */
  readonly onCoordinationLoss: OnCoordinationLoss;
  /** Only workers of this zone run it; without it, any worker. */
  readonly zone?: string;
  readonly posts?: PostSettings;
}

/** What one run asks and how its answer is judged. Checks that differ only in their key share one. */
export interface HttpSpec extends AnySpec {
  readonly kind: 'http';
  readonly request: HttpRequest;
  readonly values: readonly ValueQuery[];
  readonly assertions: readonly Assertion[];
}

/** A union by `kind`: the ledger stores any of them, and a worker dispatches by it. */
export type CheckSpec = HttpSpec;

export interface CheckDefinition {
  readonly id: CheckId;
  /** `host[:port]/path[?query]`, or a free name where the spec has a `url`. Unique in a pool. */
  readonly key: string;
  readonly spec: CheckSpec;
}

/** A `self` block: where watcher's own health is posted. */
export interface SelfDefinition {
  readonly schedule: Schedule;
  readonly posts: PostSettings;
}
