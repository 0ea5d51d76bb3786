import { taughtBy } from "../../../runtime/cli/teacher";

describe("--teacher, --teacher-epochs and --serve-teacher", () => {
  it("say of whom a model learns, and whether that is the model itself", () => {
    expect(taughtBy({})).toEqual({});
    expect(taughtBy({ teacher: "b" })).toEqual({ teacher: { backbone: "b" } });
    expect(taughtBy({ teacher: "b", teacherEpochs: 3, serveTeacher: true })).toEqual({
      teacher: { backbone: "b", epochs: 3, serves: "teacher" },
    });
  });

  it.each([
    ["--teacher-epochs", { teacherEpochs: 3 }],
    ["--serve-teacher", { serveTeacher: true as const }],
  ])("%s alone is refused with a sentence", (name, flags) => {
    expect(() => taughtBy(flags)).toThrow(new RegExp(`${name}.*there is no --teacher beside it`, "s"));
  });
});
