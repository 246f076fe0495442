// The code stays in the fragment, which browsers never send: the extension's content script reads
// it from there when the button is pressed, and writes the outcome in #tellsign-result.

const PATIENCE = 1500; // ms for the content script to announce itself before help is shown

/** @param {string} id @returns {HTMLElement} */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id}`);
  return found;
}

const root = document.documentElement;
let patient = true;

function show() {
  const code = /^#(\d{6})$/.exec(location.hash)?.[1];
  const ready = root.dataset.tellsign === "ready";
  element("code").textContent = code ? `${code.slice(0, 3)} ${code.slice(3)}` : "";
  element("with-code").hidden = !code;
  element("no-code").hidden = Boolean(code);
  element("tellsign-pair").hidden = !(code && ready);
  element("no-extension").hidden = ready || patient || !code;
}

new MutationObserver(show).observe(root, { attributeFilter: ["data-tellsign"] });
addEventListener("hashchange", show);
setTimeout(() => {
  patient = false;
  show();
}, PATIENCE);
show();
