import { overlap, turned, turnedBack } from "../../../runtime/guard/burned-in/turned";

test("what stands in a picture lies in the turned one, and a box of that leads back to it", () => {
  const [width, height] = [7, 5];
  const bytes = Uint8Array.from({ length: width * height }, (_, i) => i);
  const quarter = turned({ bytes, width, height });
  expect([quarter.width, quarter.height]).toEqual([height, width]);
  // The first row becomes the last column.
  expect([0, 1, 2].map((x) => quarter.bytes[x * height + height - 1])).toEqual([0, 1, 2]);
  for (let y = 0; y < quarter.height; y++)
    for (let x = 0; x < quarter.width; x++) {
      const { left, top, ...size } = turnedBack({ left: x, top: y, width: 1, height: 1 }, { height });
      expect([bytes[top * width + left], size]).toEqual([quarter.bytes[y * height + x], { width: 1, height: 1 }]);
    }
  expect(turnedBack({ left: 1, top: 2, width: 3, height: 1 }, { height })).toEqual({
    ...{ left: 2, top: 1, width: 1, height: 3 },
  });
});

test("boxes that only touch do not overlap", () => {
  const box = { left: 2, top: 2, width: 2, height: 2 };
  expect(overlap(box, { ...box, left: 4 })).toBe(false);
  expect(overlap(box, { ...box, left: 3, top: 1 })).toBe(true);
});
