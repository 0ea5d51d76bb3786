/** Runs in the browser. Plain JavaScript, sent as it stands. */
export const SCRIPT = `"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const drop = at("drop");
  const input = at("file");
  let turn = 0;

  const showVerdict = (verdict) => {
    at("verdict").textContent = verdict.sentence;
    at("verdict").classList.toggle("fit", verdict.fit);
    at("verdict").hidden = false;
    at("result-verdict").hidden = verdict.fit;
  };

  const showModel = async () => {
    try {
      const response = await fetch("/v1/model");
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.detail);
      at("model").textContent = "Model " + answer.id;
      showVerdict(answer.verdict);
      at("synthetic").hidden = !answer.synthetic;
    } catch (error) {
      at("model").textContent = error instanceof TypeError ? "The server does not answer." : error.message;
    }
  };

  const fail = (message) => {
    at("status").textContent = "";
    at("error").textContent = message;
    at("error").hidden = false;
  };

  const load = (image, path, description) =>
    new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error("The picture of the result cannot be shown. Send the scan again."));
      image.alt = description;
      image.src = path;
    });

  const facts = (rows) => {
    at("facts").replaceChildren(
      ...rows.flatMap(([name, value]) => {
        const term = document.createElement("dt");
        const text = document.createElement("dd");
        term.textContent = name;
        text.textContent = value;
        return [term, text];
      }),
    );
  };

  const show = async (answer, file) => {
    const percent = (value) => (100 * value).toFixed(1) + " %";
    showVerdict(answer.verdict);
    at("label").textContent = answer.decision;
    at("label").className = "label " + answer.decision.toLowerCase();
    const band = answer.uncertain;
    at("referral").hidden = answer.decision !== "Uncertain";
    at("band").hidden = !band;
    if (band) {
      at("band").style.left = 100 * band.low + "%";
      at("band").style.width = 100 * (band.high - band.low) + "%";
    }
    at("probability").textContent = percent(answer.probability);
    at("file-name").textContent = file.name;
    at("fill").style.width = 100 * answer.probability + "%";
    at("threshold-mark").style.left = 100 * answer.threshold + "%";
    at("threshold").textContent = "Cancer from " + answer.threshold.toFixed(3);
    const pages = answer.pages > 1 ? "page " + answer.page + " of " + answer.pages + " (the most suspicious), " : "";
    const rows = [
      ["Image", pages + answer.width + " x " + answer.height + " pixels"],
      ["Strongest place", "x " + answer.peak.x + ", y " + answer.peak.y],
      ["Model", answer.model],
      ["Pixel recipe", answer.recipe],
      ["Prediction", answer.id],
    ];
    if (answer.rejected_pages.length > 0) {
      rows.splice(1, 0, [
        "Pages not read",
        answer.rejected_pages.map((page) => page.page + ": " + page.detail).join(" "),
      ]);
    }
    if (band) rows.splice(1, 0, ["Uncertain", "from " + band.low.toFixed(3) + " to " + band.high.toFixed(3)]);
    facts(rows);
    at("disclaimer").textContent = answer.disclaimer;
    at("synthetic").hidden = !answer.synthetic;
    at("model").textContent = "Model " + answer.model;
    await Promise.all([
      load(at("original"), answer.original, "The scan " + file.name),
      load(at("overlay"), answer.overlay, "The scan with the places that speak for Cancer"),
    ]);
  };

  const send = async (file) => {
    const mine = ++turn;
    at("error").hidden = true;
    at("result").hidden = true;
    at("status").textContent = "Reading " + file.name + " \\u2026";
    try {
      const response = await fetch("/v1/predictions", {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: file,
      });
      const answer = await response.json();
      if (mine !== turn) return;
      if (!response.ok) {
        fail(file.name + ": " + answer.detail);
        return;
      }
      await show(answer, file);
      if (mine !== turn) return;
      at("status").textContent =
        (answer.verdict.fit ? "" : "Of a model that is not fit for use: ") +
        file.name + ": " + answer.decision + ", probability of Cancer " + (100 * answer.probability).toFixed(1) + " %.";
      at("result").hidden = false;
      at("result").scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (mine !== turn) return;
      fail(error instanceof TypeError ? "The server does not answer, or the file cannot be read. Try again." : error.message);
    }
  };

  const choose = (files) => {
    if (files.length === 0) return;
    if (files.length > 1) {
      at("result").hidden = true;
      fail("Send one scan at a time.");
      return;
    }
    void send(files[0]);
  };

  input.addEventListener("change", () => {
    choose(input.files);
    input.value = "";
  });
  for (const type of ["dragenter", "dragover"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const type of ["dragleave", "drop"]) {
    document.addEventListener(type, (event) => {
      event.preventDefault();
      if (type === "drop" || event.relatedTarget === null) drop.classList.remove("over");
    });
  }
  document.addEventListener("drop", (event) => choose(event.dataTransfer.files));
  void showModel();
})();
`;
