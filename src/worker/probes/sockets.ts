/** Closing a connection before its target does. */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Closes with a reset: the side that closes first with a FIN keeps the port for a minute (TIME_WAIT),
 * and at a few hundred runs a second against one target this machine would run out of ports.
 */
export const resetSocket = (socket: Socket): void => {
  if (socket.destroyed) return;
  if (socket.connecting || socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
};
