/** Where a row begins in a lower triangle that is stored row by row; a triangle of n rows has `rowOfTriangle(n)` numbers. */
export const rowOfTriangle = (row: number): number => (row * (row + 1)) / 2;
