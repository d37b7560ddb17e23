// The console's page asks to be kept up to date, and says whether it is. All else is wsx.js.
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
  document.addEventListener("wsx:disconnected", ({ detail: { code } }) => {
    say("not live", "off");
    if (code === TOKEN_ENDED) location.assign("/console/sign-in");
  });
})();
