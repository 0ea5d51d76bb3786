/**
 * Writes runtime/imaging/deidentify/tables.ts from the DICOM standard as data:
 *
 *   git clone https://github.com/innolitics/dicom-standard        (--standard dicom-standard/standard)
 *   pip install highdicom==0.28.2                                 (--types .../site-packages/highdicom/_standard)
 *   node scripts/make-deidentification-tables.js --standard DIR --types DIR
 *
 * The first has the table of PS3.15 and the data dictionary, the second the types of attributes in each IOD (PS3.3).
 */
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { parseArgs } = require("node:util");

const { values } = parseArgs({ options: { standard: { type: "string" }, types: { type: "string" } } });
if (!values.standard || !values.types) {
  console.error("Give --standard DIR and --types DIR; the head of this file says where they are had.");
  process.exit(2);
}
const read = (folder, name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
const profile = read(values.standard, "confidentiality_profile_attributes.json");
const attributes = read(values.standard, "attributes.json");
const modules = read(values.types, "module_attribute_map.json");
const iods = read(values.types, "iod_module_map.json");
const sopClasses = read(values.types, "sop_class_iod_map.json");

/** Those of the table that commands have and data sets do not, which the dictionary leaves out; and the families of tags. */
const VR_OF_OTHERS = { "00001000": "UI", "00001001": "UI", "50xxxxxx": "OB", "ggggeeee-where-gggg-is-odd": "UN" };
const OPTIONS = {
  rtnUIDsOpt: { K: "U" },
  rtnDevIdOpt: { K: "D", C: "d" },
  rtnInstIdOpt: { K: "I" },
  rtnPatCharsOpt: { K: "P", C: "p" },
  rtnLongFullDatesOpt: { K: "F" },
  rtnLongModifDatesOpt: { C: "M" },
  cleanDescOpt: { C: "T" },
  cleanStructContOpt: { C: "S" },
  cleanGraphOpt: { C: "G" },
  rtnSafePrivOpt: { C: "V" },
};
const representation = (text) => text.replaceAll(" or ", "/");
const byId = new Map(attributes.map((attribute) => [attribute.id, attribute]));

const rows = profile.map((row) => {
  const options = Object.entries(OPTIONS).map(([key, letters]) => {
    if (row[key] !== undefined && letters[row[key]] === undefined) throw new Error(`${row.id}: ${key} ${row[key]}`);
    return letters[row[key]] ?? "";
  });
  const vr = representation(byId.get(row.id)?.valueRepresentation ?? VR_OF_OTHERS[row.id]);
  return [row.id.slice(0, 8), vr, row.basicProfile, options.join("") || "-"].join(" ");
});

// What is neither in the table nor retired, by its value representation. Groups of commands, file meta information,
// directories and overlays are not for data sets that are kept.
const listed = new Set(profile.map(({ id }) => id));
const others = new Map();
for (const { id, valueRepresentation, retired } of attributes) {
  if (listed.has(id) || retired === "Y" || !/^[0-9a-f]{8}$/.test(id) || /^(000[024]|fffe)/.test(id)) continue;
  const vr = representation(valueRepresentation);
  others.set(vr, [...(others.get(vr) ?? []), id]);
}
const dictionary = [...others].sort(([a], [b]) => (a < b ? -1 : 1)).map(([vr, ids]) => `${vr} ${ids.sort().join(" ")}`);

// For the attributes whose action depends on their type: what each kind of instance asks of them at its outermost level.
const conditional = new Map(
  profile.filter((row) => row.basicProfile.includes("/")).map(({ id }) => [byId.get(id).keyword, id]),
);
const asks = new Map();
for (const [sopClass, iod] of Object.entries(sopClasses)) {
  const types = new Map();
  for (const { key } of iods[iod])
    for (const { keyword, type, path } of modules[key] ?? []) {
      const id = conditional.get(keyword);
      const rank = type.startsWith("1") ? "1" : type.startsWith("2") ? "2" : undefined;
      if (id === undefined || path.length > 0 || rank === undefined) continue;
      if ((types.get(id) ?? "3") > rank) types.set(id, rank);
    }
  const of = (rank) =>
    [...types]
      .flatMap(([id, type]) => (type === rank ? [id] : []))
      .sort()
      .join(",") || "-";
  const line = `${of("1")} ${of("2")}`;
  asks.set(line, [...(asks.get(line) ?? []), sopClass.replace("1.2.840.10008.5.1.4.", "")]);
}
const types = [...asks].map(([line, classes]) => `${line} ${classes.join(" ")}`);

const block = (name, comment, lines) => `/** ${comment} */\nexport const ${name} = \`\n${lines.join("\n")}\n\`;\n`;
writeFileSync(
  join(__dirname, "..", "runtime", "imaging", "deidentify", "tables.ts"),
  [
    "// Made by scripts/make-deidentification-tables.js from github.com/innolitics/dicom-standard 7f4749d (the edition 2024e)\n" +
      "// and, for the types, from highdicom 0.28.2. Not to be edited.\n",
    block(
      "PROFILE",
      "PS3.15, table E.1-1: tag, value representation, action of the basic profile, options in which it has another.",
      rows,
    ),
    block(
      "OTHERS",
      "PS3.6: attributes that are neither in that table nor retired, by their value representation.",
      dictionary,
    ),
    block(
      "TYPES",
      "PS3.3: attributes of type 1 and of type 2 among those of PROFILE whose action depends on it; the SOP classes of which\n * that holds, without `1.2.840.10008.5.1.4.`",
      types,
    ),
  ].join("\n"),
);
