import { DISCLAIMER } from "../../intake";

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#17384f"/><path d="M16 6c5.6 0 9 4.3 9 10s-3.4 10-9 10-9-4.3-9-10 3.4-10 9-10z" fill="none" stroke="#fff" stroke-width="2.2"/><circle cx="19.5" cy="13" r="2.8" fill="#f0a35e"/></svg>`;

export const MARKUP = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Brain MRI tumour model</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body>
<header class="top">
  <div class="inner">
    <img src="/icon.svg" alt="" width="32" height="32">
    <h1>Brain MRI tumour model</h1>
    <p class="model" id="model">Looking for the model&hellip;</p>
  </div>
</header>
<main>
  <p class="note" role="note"><strong>${DISCLAIMER}</strong></p>
  <p class="note" id="verdict" role="note" hidden></p>
  <p class="note synthetic" id="synthetic" role="note" hidden><strong>Synthetic model.</strong> It was trained on drawn phantoms, not on scans of people. Its answers mean nothing in medicine.</p>

  <section class="card" aria-labelledby="choose-title">
    <h2 id="choose-title">Scan</h2>
    <label class="drop" id="drop" for="file">
      <span class="drop-title">Drop a scan here</span>
      <span class="hint">JPEG, PNG, TIFF, BMP or WebP. It is sent to this server only.</span>
      <span class="button">Choose a file</span>
      <input type="file" id="file" name="file" accept=".jpg,.jpeg,.png,.tif,.tiff,.bmp,.webp,image/*">
    </label>
    <p class="status" id="status" role="status" aria-live="polite"></p>
    <div class="error" id="error" role="alert" hidden></div>
  </section>

  <section class="card result" id="result" aria-labelledby="result-title" tabindex="-1" hidden>
    <h2 id="result-title">Result</h2>
    <p class="note" id="result-verdict" role="note" hidden>The model is not fit for use; the reasons stand at the top of this page.</p>
    <div class="answer">
      <div>
        <p class="label" id="label"></p>
        <p class="hint" id="file-name"></p>
      </div>
      <div class="probability">
        <p class="number" id="probability"></p>
        <p class="hint">probability of Cancer</p>
      </div>
    </div>
    <div class="scale" aria-hidden="true">
      <div class="bar"><div class="fill" id="fill"></div><div class="band" id="band" hidden></div><div class="threshold" id="threshold-mark"></div></div>
      <div class="ends"><span>0</span><span id="threshold"></span><span>1</span></div>
    </div>
    <p class="note" id="referral" role="note" hidden>The model is too unsure to decide: a person should read this scan.</p>
    <div class="pictures">
      <figure>
        <img id="original" alt="">
        <figcaption>Scan as it was read</figcaption>
      </figure>
      <figure>
        <img id="overlay" alt="">
        <figcaption>Grad-CAM: where the model looked. Yellow is the strongest evidence for Cancer in this image; no colour means none.</figcaption>
      </figure>
    </div>
    <dl id="facts"></dl>
    <p class="disclaimer" id="disclaimer"></p>
  </section>
</main>
<noscript><p class="note">This page needs JavaScript. Scans can also be sent with POST /v1/predictions.</p></noscript>
</body>
</html>
`;
