import { giveBackUtilFunctions } from "../../../runtime/tensorflow/util-functions";

test("util gets back what Node 23 took away, with the same answers", () => {
  const util: Record<string, unknown> = {};
  giveBackUtilFunctions(util);
  const { isArray, isNullOrUndefined } = util as Record<string, (value: unknown) => boolean>;
  expect([[], "", {}, { length: 0 }, null].map((value) => isArray?.(value))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
  expect([null, undefined, 0, "", false, Number.NaN].map((value) => isNullOrUndefined?.(value))).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test("what is still there stays", () => {
  const isArray = () => true;
  const util: Record<string, unknown> = { isArray };
  giveBackUtilFunctions(util);
  expect(util.isArray).toBe(isArray);
});

test("the module itself has them, for whoever requires it", () => {
  giveBackUtilFunctions();
  expect(require("node:util")).toMatchObject({
    isArray: expect.any(Function),
    isNullOrUndefined: expect.any(Function),
  });
});
