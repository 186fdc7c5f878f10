/** What a destination needs in order to send, for tests: real secrets, a real transport. */

import type { JsonValue } from '../../../../src/shared/domain/check.ts';
import type { Emission } from '../../../../src/shared/domain/delivery.ts';
import { type ConnectTo, parseConnectTo } from '../../../../src/shared/rules/connect-to.ts';
import { systemClock } from '../../../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../../../src/shared/secrets/resolve.ts';
import type {
  Destination,
  DestinationContext,
  Item,
  Outcome,
} from '../../../../src/shared/sinks/destination.ts';
import { createHttpTransport } from '../../../../src/shared/sinks/http/undici-transport.ts';

export interface Sending extends AsyncDisposable {
  readonly context: DestinationContext;
  /** Of the references in secrets; may be changed. */
  readonly env: Record<string, string>;
}

export const aSending = (connectTo: readonly string[] = []): Sending => {
  const env: Record<string, string> = {};
  const rules: ConnectTo = parseConnectTo(connectTo);
  const http = createHttpTransport({ clock: systemClock, connectTo: rules });
  return {
    env,
    context: {
      clock: systemClock,
      secrets: createSecrets({ clock: systemClock, env }),
      http,
      connectTo: rules,
      host: 'host-1',
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
};

export const anItem = (emission: Emission, body: JsonValue = null, seq = 1): Item => ({
  seq,
  emission,
  body,
});

export const never = new AbortController().signal;

/** What came of each call. */
export const sendAll = async <Payload>(
  destination: Destination<Payload>,
  items: readonly Item[],
  signal: AbortSignal = never,
): Promise<readonly Outcome[]> => {
  const outcomes: Outcome[] = [];
  for (const call of destination.encode(items)) outcomes.push(await destination.send(call, signal));
  return outcomes;
};
