/** Bytes behind the end of a response: a target that sends them is not to be trusted about its end. */

/**
 * Whether the last bytes read go on after the end of the body, whose last piece is `lastData`: a view
 * on the same memory as `lastRead` when both come from one read. Only bytes that came along with the
 * end are seen; the connection is closed or watched from then on.
 */
export const hasSurplus = (
  lastRead: Buffer,
  lastData: Buffer | null,
  isChunked: boolean,
): boolean => {
  if (lastData === null || lastData.buffer !== lastRead.buffer) return false;
  const end = lastData.byteOffset + lastData.length - lastRead.byteOffset;
  if (!isChunked) return end < lastRead.length;
  // Behind the last piece: its line end, the last chunk, trailers, an empty line, and nothing else.
  const emptyLine = lastRead.indexOf('\r\n\r\n', end);
  return emptyLine !== -1 && emptyLine + 4 < lastRead.length;
};

/** The same for a response that announces an empty body: its head is the end. */
export const hasSurplusAfterHead = (lastRead: Buffer): boolean => {
  const emptyLine = lastRead.indexOf('\r\n\r\n');
  return emptyLine !== -1 && emptyLine + 4 < lastRead.length;
};
