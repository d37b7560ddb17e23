// The console's page asks to be kept up to date, says whether it is, pauses, and stays scrolled to the side. All else is wsx.js.
(() => {
  "use strict";

  const TOKEN_ENDED = 4401;
  const SIGN_IN = "/console/sign-in"; // whoever is signed in still is sent on from there
  let goes = false; // a form was sent, whose answer is the next page
  const leave = () => { if (!goes) location.assign(SIGN_IN); };
  const { page, query } = document.body.dataset;
  const state = document.getElementById("connection");
  const pause = document.getElementById("pause");
  let paused = false;

  const say = (words, is) => {
    if (state.textContent === words) return;
    state.textContent = words;
    state.className = is;
  };
  document.addEventListener("submit", () => { goes = true; });

  const watch = () => wsx.send("watch", { page, query }).then(() => say("live", "on"), () => {});
  const rest = () => wsx.send("pause", {}).then(() => say("paused", "off"), () => {});

  document.addEventListener("wsx:hello", () => {
    if (!page) return say("connected", "on");
    pause.hidden = false;
    return paused ? rest() : watch();
  });
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused);
    (paused ? rest : watch)();
  });

  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  let left = 0;
  const table = () => document.getElementById("table");
  document.addEventListener("wsx:beforeSwap", () => { left = table()?.scrollLeft ?? 0; });
  document.addEventListener("wsx:afterSwap", () => { if (left && table()) table().scrollLeft = left; });
  document.addEventListener("wsx:disconnected", ({ detail: { code } }) => {
    say(page ? "not live" : "not connected", "off");
    if (code === TOKEN_ENDED) leave();
    else fetch(SIGN_IN, { redirect: "manual" }).then(({ ok }) => { if (ok) leave(); }, () => {});
  });
})();
