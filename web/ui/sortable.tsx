import { useMemo, useState } from "preact/hooks";

export interface Column<T> {
  readonly key: string;
  readonly title: string;
  /** What rows are sorted by; undefined values come last either way. */
  readonly by: (row: T) => string | number | undefined;
  readonly numeric?: boolean;
}

export interface Sorting {
  readonly key: string;
  readonly descending: boolean;
}

/** Rows in the order that the head's buttons say; at first as they come. */
export function useSorted<T>(rows: readonly T[], columns: readonly Column<T>[]) {
  const [sorting, setSorting] = useState<Sorting>();
  const sorted = useMemo(() => {
    const column = columns.find(({ key }) => key === sorting?.key);
    if (!column || !sorting) return rows;
    const sign = sorting.descending ? -1 : 1;
    return [...rows].sort((a, b) => {
      const [x, y] = [column.by(a), column.by(b)];
      if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1;
      if (typeof x === "number" && typeof y === "number") return sign * (x - y);
      return sign * String(x).localeCompare(String(y), undefined, { numeric: true });
    });
  }, [rows, columns, sorting]);
  const toggle = ({ key, numeric = false }: Column<T>) =>
    setSorting((before) =>
      before?.key === key ? { key, descending: !before.descending } : { key, descending: numeric },
    );
  return { sorted, sorting, toggle };
}

/** The head of a table whose columns sort it. */
export function SortableHead<T>({
  columns,
  sorting,
  onToggle,
}: {
  columns: readonly Column<T>[];
  sorting: Sorting | undefined;
  onToggle(column: Column<T>): void;
}) {
  return (
    <thead>
      <tr>
        {columns.map((column) => {
          const mine = sorting?.key === column.key ? sorting : undefined;
          return (
            <th
              key={column.key}
              scope="col"
              class={column.numeric ? "numeric" : ""}
              aria-sort={mine ? (mine.descending ? "descending" : "ascending") : "none"}
            >
              <button type="button" class="sort" onClick={() => onToggle(column)}>
                {column.title}
                <span aria-hidden="true">{mine ? (mine.descending ? " \u25be" : " \u25b4") : ""}</span>
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
