import { describe, expect, it } from 'vitest';
import { type Column, renderTable } from '../../../src/cli/table.ts';

interface Row {
  readonly name: string;
  readonly count: number;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', text: (row) => row.name, shrinks: true },
  { title: 'COUNT', text: (row) => String(row.count), align: 'right' },
  { title: 'NOTE', text: (row) => row.note, shrinks: true },
];

const ROWS: readonly Row[] = [
  { name: 'api.example.com/health', count: 7, note: '' },
  { name: 'a/b', count: 12_345, note: 'the status is not ok' },
];

describe('a table', () => {
  it('is as wide as its cells when nothing limits it', () => {
    expect(renderTable(COLUMNS, ROWS)).toEqual([
      'NAME                    COUNT  NOTE',
      'api.example.com/health      7',
      'a/b                     12345  the status is not ok',
    ]);
  });

  it('cuts the last column first', () => {
    expect(renderTable(COLUMNS, ROWS, 42)).toEqual([
      'NAME                    COUNT  NOTE',
      'api.example.com/health      7',
      'a/b                     12345  the status…',
    ]);
  });

  it('then cuts the one before it', () => {
    expect(renderTable(COLUMNS, ROWS, 30)).toEqual([
      'NAME           COUNT  NOTE',
      'api.example.…      7',
      'a/b            12345  the sta…',
    ]);
  });

  it('leaves columns out where even that is too wide', () => {
    expect(renderTable(COLUMNS, ROWS, 16)).toEqual([
      'NAME      COUNT',
      'api.exa…      7',
      'a/b       12345',
    ]);
  });

  it.each([8, 15, 20, 30, 42, 60])('is never wider than %i', (width) => {
    for (const line of renderTable(COLUMNS, ROWS, width))
      expect(line.length).toBeLessThanOrEqual(width);
  });

  it('colours a cell when its width is settled', () => {
    const columns = [
      { ...COLUMNS[0]!, paint: (row: Row, cell: string) => `<${row.count}|${cell}>` },
    ];
    expect(renderTable(columns, ROWS, 10)).toEqual([
      'NAME',
      '<7|api.examp…>',
      '<12345|a/b       >',
    ]);
  });

  it('is only its titles without rows', () => {
    expect(renderTable(COLUMNS, [])).toEqual(['NAME  COUNT  NOTE']);
  });
});
