/** When the certificate that a target shows ends. */

import type { TLSSocket } from 'node:tls';

/** Milliseconds since the epoch, or undefined when the target showed none. */
export const certificateExpiry = (socket: TLSSocket): number | undefined =>
  socket.getPeerX509Certificate()?.validToDate.getTime();
