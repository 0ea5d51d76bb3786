/** Brings DCMTK's senders and receivers, which `npm run verify:gateway` works with. Prints a line; exits 1 if it is missing. */
const { aptInstall, has } = require("./parts");

const TOOLS = ["storescu", "storescp", "dsrdump", "dcmdump"];

try {
  const missing = () => TOOLS.filter((tool) => !has(tool));
  if (missing().length > 0) aptInstall(["dcmtk"]);
  if (missing().length > 0) throw new Error(`DCMTK was installed, and ${missing().join(", ")} is not there.`);
  console.log(`DCMTK: ${TOOLS.join(", ")}`);
} catch (error) {
  console.error(`DCMTK: missing. ${error.message}`);
  process.exitCode = 1;
}
