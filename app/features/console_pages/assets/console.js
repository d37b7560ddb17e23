// The console's page asks to be kept up to date, says whether it is, and stays scrolled to the side. All else is wsx.js.
(() => {
  "use strict";

  const TOKEN_ENDED = 4401;
  const state = document.getElementById("connection");
  const say = (words, is) => {
    if (state.textContent === words) return;
    state.textContent = words;
    state.className = is;
  };

  document.addEventListener("wsx:hello", () => {
    wsx.send("watch", { page: document.body.dataset.page, query: location.search.slice(1) }).then(() => say("live", "on"), () => {});
  });
  let left = 0;
  const table = () => document.getElementById("table");
  document.addEventListener("wsx:beforeSwap", () => { left = table()?.scrollLeft ?? 0; });
  document.addEventListener("wsx:afterSwap", () => { if (left && table()) table().scrollLeft = left; });
  document.addEventListener("wsx:disconnected", ({ detail: { code } }) => {
    say("not live", "off");
    if (code === TOKEN_ENDED) location.assign("/console/sign-in");
  });
})();
