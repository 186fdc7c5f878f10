/** A target in a process of its own that answers every request well, but late. */

import { createServer } from 'node:http';
import { HEALTHY } from '../support/nginx.ts';

const [port, delayMs] = process.argv.slice(2).map(Number);

createServer((_request, response) => {
  response.setHeader('content-type', 'application/json');
  setTimeout(() => response.end(HEALTHY), delayMs);
}).listen({ port, host: '0.0.0.0', backlog: 65_535 });
