/** What a role gives to the server: routes that know nothing of the server behind them. */

export interface RouteRequest {
  readonly query: Readonly<Record<string, string | undefined>>;
  /** What stood for the `:name` parts of the path. */
  readonly params: Readonly<Record<string, string | undefined>>;
  /** As it came; empty without one. */
  readonly body: Uint8Array;
}

export interface RouteReply {
  /** 200 when absent. */
  readonly status?: number;
  /** An object is sent as JSON. */
  readonly body: object | string;
  /** For a text; an object is always JSON. */
  readonly contentType?: string;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** A part that begins with a colon stands for any text. */
  readonly path: string;
  /** Answered without a token: it says up or down and nothing else. */
  readonly open?: boolean;
  handle(request: RouteRequest): RouteReply | Promise<RouteReply>;
}

/** The body of every answer that is an error. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

export const problem = (status: number, code: string, message: string): RouteReply => ({
  status,
  body: { code, message } satisfies Problem,
});

/** A number of a query; null for what is none. */
export const whole = (text: string): number | null =>
  /^\d{1,9}$/.test(text) ? Number(text) : null;
