/** Addresses of 127.0.0.0/8, all of which are this machine. */

/** Distinct for 16,000,000 numbers, from 127.0.0.1 on, never a network or broadcast address. */
export function addressOf(index: number): string {
  const host = (index % 254) + 1;
  const subnet = Math.floor(index / 254);
  return `127.${subnet >> 8}.${subnet & 255}.${host}`;
}
