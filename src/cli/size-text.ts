/** Sizes as people read them: `4.0 KiB`, `12.3 GiB`. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export const sizeText = (bytes: number): string => {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
};
