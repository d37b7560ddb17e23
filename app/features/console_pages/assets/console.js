// The console's page asks to be kept up to date, says whether it is, pauses, holds still under a hand, and stays scrolled to the
// side. All else is wsx.js.
(() => {
  "use strict";

  const TOKEN_ENDED = 4401;
  const SIGN_IN = "/console/sign-in"; // whoever is signed in still is sent on from there
  const ANSWER_MS = 10_000; // for the next page to come, before a form can be sent once more
  const AGAIN_MS = 5_000; // until a page asks again that was one too many
  let goes = false; // a form was sent, whose answer is the next page
  const leave = () => { if (!goes) location.assign(SIGN_IN); };
  const { page, query } = document.body.dataset;
  const state = document.getElementById("connection");
  const pause = document.getElementById("pause");
  const live = document.getElementById("live");
  let paused = false;
  let again;

  const say = (words, is) => {
    if (state.textContent === words) return;
    state.textContent = words;
    state.className = is;
  };
  document.addEventListener("submit", (event) => {
    if (goes) return event.preventDefault(); // a double click: the first is on its way
    goes = true;
    setTimeout(() => { goes = false; }, ANSWER_MS);
  });
  addEventListener("pageshow", () => { goes = false; }); // also one that came back by the button of the browser

  const refused = ({ code, detail }) => {
    if (code !== "too_many_views") return;
    say(`not live: ${detail}`, "off");
    again = setTimeout(watch, AGAIN_MS);
  };
  const watch = () => {
    clearTimeout(again);
    if (!paused) wsx.send("watch", { page, query }).then(() => say("live", "on"), refused);
  };
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

  // A part that is replaced takes with it the click that has begun on it, and what is marked in it. What comes meanwhile is let
  // pass, and asked for again.
  let isPressed = false;
  let hasPassed = false;
  const isMarked = () => !getSelection().isCollapsed && getSelection().containsNode(live, true);
  const release = () => {
    isPressed = false;
    if (!hasPassed || isMarked()) return;
    hasPassed = false;
    watch();
  };
  document.addEventListener("pointerdown", ({ button, target }) => { isPressed = button === 0 && live?.contains(target); });
  for (const type of ["pointerup", "pointercancel", "contextmenu"]) document.addEventListener(type, release);
  document.addEventListener("selectionchange", () => { if (!isPressed) release(); });

  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  let left = 0;
  const table = () => document.getElementById("table");
  document.addEventListener("wsx:beforeSwap", (event) => {
    if (event.target === live && (isPressed || isMarked())) {
      hasPassed = true;
      if (!isPressed) say("waits while text is marked", "off");
      return event.preventDefault();
    }
    left = table()?.scrollLeft ?? 0;
  });
  document.addEventListener("wsx:afterSwap", () => { if (left && table()) table().scrollLeft = left; });
  document.addEventListener("wsx:disconnected", ({ detail: { code } }) => {
    say(page ? "not live" : "not connected", "off");
    if (code === TOKEN_ENDED) leave();
    else fetch(SIGN_IN, { redirect: "manual" }).then(({ ok }) => { if (ok) leave(); }, () => {});
  });
})();
