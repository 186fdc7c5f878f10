/** Rows and columns as lines of text, within a width. Pure: colour is laid on last. */

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly align?: 'right';
  /** May be cut to fit; the later column is cut first. */
  readonly shrinks?: true;
  /** Colours a cell that has its final text and width. */
  readonly paint?: (row: Row, cell: string) => string;
}

const GAP = '  ';
/** A column that shrinks keeps that much; below it columns at the end are left out. */
const NARROWEST = 8;

/** One line a row, below a line of titles. Without a width nothing is cut. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width = Number.POSITIVE_INFINITY,
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => column.text(row)));
  const titles = columns.map((column) => column.title);
  const widths = fitted(columns, [titles, ...cells], width);
  const shown = columns.slice(0, widths.length);
  const lineOf = (texts: readonly string[], row?: Row): string =>
    shown
      .map((column, index) => {
        const cell = sized(texts[index] ?? '', widths[index] ?? 0, column.align === 'right');
        return row === undefined ? cell : (column.paint?.(row, cell) ?? cell);
      })
      .join(GAP)
      .trimEnd();
  return [lineOf(titles), ...rows.map((row, index) => lineOf(cells[index] ?? [], row))];
}

/** The width of each column that is shown. */
const fitted = <Row>(
  columns: readonly Column<Row>[],
  lines: readonly (readonly string[])[],
  width: number,
): readonly number[] => {
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index]))));
  let excess = totalOf(widths) - width;
  for (let index = columns.length - 1; index >= 0 && excess > 0; index--) {
    if (columns[index]?.shrinks !== true) continue;
    const natural = widths[index] as number;
    const kept = Math.min(natural, Math.max(NARROWEST, natural - excess));
    excess -= natural - kept;
    widths[index] = kept;
  }
  while (widths.length > 1 && totalOf(widths) > width) widths.pop();
  return widths;
};

const totalOf = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, (widths.length - 1) * GAP.length);

const lengthOf = (text = ''): number => [...text].length;

const sized = (text: string, width: number, right: boolean): string => {
  const letters = [...text];
  if (letters.length > width) return `${letters.slice(0, width - 1).join('')}…`;
  const padding = ' '.repeat(width - letters.length);
  return right ? padding + text : text + padding;
};
