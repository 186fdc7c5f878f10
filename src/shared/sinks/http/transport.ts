/** One HTTP call to a sink: destination → **transport** → undici. */

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The first 64 KiB. */
  readonly body: string;
}

export interface HttpTransport extends AsyncDisposable {
  /** Rejects when there is no answer: name, connection, TLS, timeout (10 s), abort. */
  call(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer>;
  /** Opens a connection, TLS included, and sends nothing. Rejects as `call` does. */
  reach(url: string, signal: AbortSignal): Promise<void>;
  /** Whether it speaks to this very address, so that no check is aimed at a sink of watcher. */
  uses(address: string, port: number): boolean;
}
