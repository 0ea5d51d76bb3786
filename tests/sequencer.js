const { relative } = require("node:path");
const Sequencer = require("@jest/test-sequencer").default;
const { LONGEST } = require("./suites");

/** Jest begins with what took longest the last time. Where it knows of no last time, as in CI, the longest are known. */
class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some(({ duration }) => duration != null)) return sorted;
    const place = ({ path, context }) => {
      const at = LONGEST.indexOf(relative(context.config.rootDir, path));
      return at < 0 ? LONGEST.length : at;
    };
    return sorted.sort((a, b) => place(a) - place(b));
  }
}

module.exports = LongestFirst;
