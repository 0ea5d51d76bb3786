/** What reader and writer of a PNG share (PNG, third edition). */
export const PNG_SIGNATURE = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
/** 9.2: the number of one of these stands before every row of pixels. */
export const PNG_FILTER = { none: 0, sub: 1, up: 2, average: 3, paeth: 4 } as const;
