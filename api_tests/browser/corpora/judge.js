// Judges what is swapped into the page: what ran, what could act, and of which elements and attributes it is made.
"use strict";

window.ran = [];
window.shown = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => void ran.push(name);
Document.prototype.write = Document.prototype.writeln = () => void ran.push("write");
// The policy only reports: whatever is written inline runs, and is told of.
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => {
  ran.push(`${violatedDirective} ${blockedURI} ${sample}`);
});

const ACTS = /^(on|wx-|hx-|ws-|sse-|data-|x-|v-|ng-|[^a-z])|^(style|name|srcset|srcdoc|is|slot|action|formaction|ping|target|popover|cite|usemap)$/;
const ELEMENTS = new Set((
  "a abbr acronym area article aside b bdi bdo blockquote br caption center cite code col colgroup data dd del details dfn div dl dt em "
  + "figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li map mark nav ol p pre q rp rt rtc ruby s samp small span "
  + "strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
).split(" "));
const SCHEMES = ["http:", "https:", "mailto:", "tel:"];

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// Elements and attributes, without what they hold: ["div[class id](span[class]())"], one for each child.
const skeletons = (node) => [...node.children].map((element) =>
  `${element.localName}[${element.getAttributeNames().sort().join(" ")}](${skeletons(element.content ?? element).join("")})`);

function faults(root) {
  const found = [];
  for (const element of root.querySelectorAll("*")) {
    if (!ELEMENTS.has(element.localName) || element.namespaceURI !== document.documentElement.namespaceURI) found.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      if (ACTS.test(name)) found.push(`${element.localName} ${name}`);
      if (name === "id" && !value.includes("-")) found.push(`id ${value}`);
      if (/^(href|src)$/.test(name) && URL.canParse(value, location) && !SCHEMES.includes(new URL(value, location).protocol)) found.push(`${name} ${value}`);
    }
  }
  return found;
}

function judged(html) {
  const content = parsed(html);
  return { skeletons: skeletons(content), faults: faults(content) };
}

// All that a visitor could do to an element by accident.
function touch(root) {
  for (const element of root.querySelectorAll("*")) {
    for (const name of ["click", "mouseover", "focus", "load", "error", "toggle", "animationstart", "submit"]) {
      element.dispatchEvent(new Event(name, { bubbles: true, cancelable: true }));
    }
  }
}

Object.assign(window, { faults, judged, touch });

document.addEventListener("click", (event) => {
  if (event.target.closest?.("a,area")?.protocol !== "javascript:") event.preventDefault();
}, true);
document.addEventListener("wsx:afterSwap", ({ detail: { target, html } }) => shown.push({ target, html, ...judged(html) }));
