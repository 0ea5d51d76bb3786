import { parseHospitals } from "../../stacks/config";
import { byWave, LAST_WAVE } from "../../stacks/waves";
import { PROD, synthesize, TEST } from "./synthesize";

const line = (name: string, more: object = {}) => ({ ...PROD, name, project: `mri-${name}`, ...more });

describe("the wave of a line", () => {
  test("is what it says, otherwise test before prod, and none for an ephemeral environment", () => {
    const hospitals = parseHospitals([
      line("first"),
      { ...TEST, removal: "destroy" },
      line("last", { wave: LAST_WAVE }),
      line("early", { wave: 1 }),
      line("gone", { tier: "ephemeral" }),
    ]);
    expect([...byWave(hospitals)].map(([wave, members]) => [wave, members.map(({ name }) => name)])).toEqual([
      [1, ["sandbox", "early"]],
      [2, ["first"]],
      [LAST_WAVE, ["last"]],
    ]);
  });

  test.each([0, LAST_WAVE + 1, 1.5, "1"])("is never %p", (wave) => {
    expect(() => parseHospitals([line("first", { wave })])).toThrow(
      `"wave" is ${JSON.stringify(wave)}; allowed: a whole number from 1 to ${LAST_WAVE}.`,
    );
  });

  test("is nothing that an ephemeral environment may have", () => {
    expect(() => parseHospitals([line("gone", { tier: "ephemeral", wave: 1 })])).toThrow(
      '"wave" is 1 in tier ephemeral; allowed: in tiers prod and test only.',
    );
  });

  test("changes no stack", () => {
    const texts = (wave: number) =>
      [...synthesize([line("first", { wave })]).stacks].map(([name, { text }]) => [name, text]);
    expect(texts(1)).toEqual(texts(LAST_WAVE));
  });
});
