// What HTML from the server cannot do by itself: say whether the page is connected, come back to the room and the place of before,
// show whom one follows, say where on the map a click was, empty a field once its text is out, tell what never reached the server. All else is
// wsx.js, which the page loads after this: it tells once that it is connected.
"use strict";

const find = (selector) => document.querySelector(selector);
const all = (selector) => document.querySelectorAll(selector);
const { me } = document.body.dataset; // "" for nobody
const followed = new Set(JSON.parse(find("#who").dataset.followed));

// ---- room and place: the server keeps them with the connection, so each new connection asks for them again ----------------

const KEPT = { "join-room": "room", "set-location": "place" };
const key = (handler) => `${KEPT[handler]} of ${me}`;
const kept = (handler) => JSON.parse(sessionStorage.getItem(key(handler)));

function keep(handler, data) {
  if (data) sessionStorage.setItem(key(handler), JSON.stringify(data));
  else sessionStorage.removeItem(key(handler));
  if (handler === "join-room") find("[name=roomId]").value = data?.roomId ?? "";
  for (const chip of all(`.chip[wx-send=${handler}]`)) {
    chip.setAttribute("aria-pressed", Boolean(data) && JSON.stringify(JSON.parse(chip.getAttribute("wx-data"))) === JSON.stringify(data));
  }
}

// ---- what a good answer brings about --------------------------------------------------------------------------------------

const chat = find("#chat-messages");

// Unless something new has been typed meanwhile.
function empty(form, sent) {
  for (const field of form.querySelectorAll("[data-once]")) if (field.value === sent[field.name]) field.value = "";
}

const DONE = {
  "join-room"(data) {
    keep("join-room", data);
    chat.dataset.empty = "Nobody has said anything yet.";
  },
  "leave-room"() {
    keep("join-room", null);
    chat.replaceChildren();
    chat.dataset.empty = "You are in no room.";
  },
  "set-location"(data, element) {
    keep("set-location", data);
    const here = [...all("[name=place] option")].find((option) => option.value === element?.getAttribute("wx-data"));
    if (here) here.selected = true;
  },
  "follow-user"({ targetUserId }) {
    followed.add(targetUserId);
    showPeople();
  },
  "unfollow-user"({ targetUserId }) {
    followed.delete(targetUserId);
    showPeople();
  },
  "private-message": (sent, form) => empty(form, sent),
  "local-event": (sent, form) => empty(form, sent),
  "admin-announcement": (sent, form) => empty(form, sent),
};

// A form's fields are flat, an event is not.
const eventOf = ({ title, description, place, radiusKm }) => ({ eventData: { title, description }, location: JSON.parse(place), radiusKm });

// What a server refuses it shows by itself; this is what it never answered.
const UNANSWERED = {
  too_big: "This is too long to be sent.",
  timeout: "No answer came. It may have been done.",
  closed: "The connection was lost before an answer came. It may have been done.",
  queue_full: "Too much waits for the connection to come back.",
};

function explain(target, code) {
  const place = target && UNANSWERED[code] && find(target);
  if (!place) return;
  const sentence = document.createElement("div");
  sentence.className = "error";
  sentence.textContent = UNANSWERED[code];
  place.replaceChildren(sentence);
}

document.addEventListener("wsx:error", ({ detail: { code }, target }) => {
  if (target instanceof Element) explain(target.getAttribute("wx-target"), code);
});

const ask = (handler, data, target, element) =>
  wsx.send(handler, handler === "local-event" ? eventOf(data) : data, { target })
    .then(() => DONE[handler](data, element), ({ code }) => explain(target, code));

// An element's own request tells nobody that it went well; wsx.send does. So what has to be known here is asked by wsx.send.
document.addEventListener("wsx:beforeRequest", (event) => {
  const { request: { handler, target, data }, element } = event.detail;
  if (!element) return;
  const answer = element.getAttribute("wx-target") && find(target);
  if (answer) answer.replaceChildren(); // what was answered before is old news
  if (!(handler in DONE)) return;
  event.preventDefault();
  const room = kept("join-room")?.roomId;
  if (handler === "join-room" && room && room !== data.roomId) { // one list of messages, one room
    wsx.send("leave-room", { roomId: room }).catch(() => {});
    keep("join-room", null);
  }
  ask(handler, data, target, element);
});

// ---- people ---------------------------------------------------------------------------------------------------------------

// The list is the same for everybody.
function showPeople() {
  for (const row of all("#who [data-user], #map-people [data-user]")) {
    row.classList.toggle("me", row.dataset.user === me);
    row.classList.toggle("followed", followed.has(row.dataset.user));
  }
}

document.addEventListener("wsx:afterSwap", ({ detail: { target } }) => {
  if (target === "#who" || target === "#map-people") showPeople();
});

// What is stored is in the page already, and is pushed as well when it never was before: the newer one stays.
document.addEventListener("wsx:beforeSwap", ({ detail: { html, swap } }) => {
  if (swap !== "afterbegin" && swap !== "beforeend") return;
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const { id } of template.content.querySelectorAll(".notification")) document.getElementById(id)?.remove();
  for (const { dataset: { messageId } } of template.content.querySelectorAll("[data-message-id]")) {
    find(`[data-message-id="${CSS.escape(messageId)}"]`)?.remove();
  }
});

// ---- the island: a click on it is a walk, and what happens somewhere shows there ------------------------------------------

const island = find(".map");
const spots = [...all(".spot")];
const SHOWN_MS = 6_000;

// In kilometres or degrees it does not matter: only which is the nearest.
const nearest = (x, y) => spots
  .map((spot) => ({ name: spot.dataset.name, at: spot.transform.baseVal[0].matrix }))
  .sort((one, other) => Math.hypot(one.at.e - x, one.at.f - y) - Math.hypot(other.at.e - x, other.at.f - y))[0].name;

island.addEventListener("click", (event) => {
  if (event.target.closest(".spot")) return; // a place asks by itself
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(find(".land").getScreenCTM().inverse());
  const { north, west, latitudePerUnit, longitudePerUnit } = island.dataset;
  const place = { name: `near the ${nearest(x, y)}`, latitude: north - y * latitudePerUnit, longitude: Number(west) + x * longitudePerUnit };
  ask("set-location", place, "#location-answer");
});

document.addEventListener("wsx:afterSwap", ({ detail: { target, swap } }) => {
  if (target !== "#local-events" || swap !== "afterbegin") return;
  const name = find("#local-events .location")?.textContent;
  const spot = spots.find((one) => one.dataset.name === name);
  spot?.classList.add("happens");
  setTimeout(() => spot?.classList.remove("happens"), SHOWN_MS);
});

// ---- on the wire ----------------------------------------------------------------------------------------------------------

const WIRES = 8;
const MOST_CHARACTERS = 110;

document.addEventListener("wsx:afterSwap", ({ detail: { target, html, swap } }) => {
  const line = document.createElement("li");
  const how = document.createElement("b");
  how.textContent = `${swap} ${target}`;
  const what = html.replace(/\s+/g, " ").trim();
  line.append(how, ` ${what.length > MOST_CHARACTERS ? `${what.slice(0, MOST_CHARACTERS)}…` : what}`);
  find("#wire").prepend(line);
  for (const old of [...all("#wire li")].slice(WIRES)) old.remove();
});

// ---- how a card is made: read from the card itself ------------------------------------------------------------------------

const tag = (element, attributes, inside) => {
  const told = attributes.filter((name) => element.hasAttribute(name)).map((name) => {
    const value = element.getAttribute(name);
    return ` ${name}=${value.includes('"') ? `'${value}'` : `"${value}"`}`;
  });
  return `<${element.localName}${told.join("")}>${inside}${element.localName === "input" ? "" : `</${element.localName}>`}`;
};
const asks = (element) => {
  const fields = [...(element.elements ?? [])].filter((field) => field.name).map((field) => `\n  ${tag(field, ["name"], "")}`);
  const inside = element.localName === "form" ? `${fields.join("")}\n  ${tag(element.querySelector("button"), [], "Send")}\n` : element.textContent.trim();
  return tag(element, ["wx-send", "wx-target", "wx-data"], inside);
};

for (const card of all(".card:has([wx-send])")) {
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const shown = document.createElement("pre");
  summary.textContent = "How it is made";
  shown.tabIndex = 0;
  details.append(summary, shown);
  details.addEventListener("toggle", () => {
    const heard = [...card.querySelectorAll("[id]:is([data-empty], .answer, .badge, ul)")].map((element) => tag(element, ["id"], ""));
    // One of each kind; and not the one that needs a line of this file, for its data are no flat fields.
    const kinds = new Map([...card.querySelectorAll("[wx-send]:not(.spot, .notification *, [wx-send=local-event])")].reverse()
      .map((element) => [`${element.localName} ${element.getAttribute("wx-send")}`, element]));
    shown.textContent = [...[...kinds.values()].reverse().map(asks), ...heard].join("\n");
  });
  card.append(details);
}

// ---- the second window ----------------------------------------------------------------------------------------------------

find("#second-window")?.addEventListener("click", (event) => {
  event.preventDefault();
  const { availWidth, availHeight } = screen;
  const half = Math.round(availWidth / 2);
  open(event.currentTarget.href, "_blank", `popup,noopener,width=${half},height=${availHeight},left=${availWidth - half},top=0`);
});

// ---- the connection -------------------------------------------------------------------------------------------------------

const IDLE = 4408;
const sign = find("#connection");
const show = (text, state) => {
  sign.textContent = text;
  sign.className = state;
};

// Who came by one click begins somewhere: the address says where, once.
function begin() {
  const asked = new URLSearchParams(location.search);
  if (!asked.size) return;
  const spot = spots.find((one) => one.dataset.name === asked.get("at"));
  if (spot) keep("set-location", JSON.parse(spot.getAttribute("wx-data")));
  if (asked.has("room")) keep("join-room", { roomId: asked.get("room") });
  history.replaceState(null, "", location.pathname);
}
begin();

document.addEventListener("wsx:connected", () => {
  show("live", "on");
  if (kept("join-room")) ask("join-room", kept("join-room"), "#room-answer");
  if (kept("set-location")) ask("set-location", kept("set-location"), "#location-answer");
});

// Lists come again by themselves when the page connects; what a reload would lose is half-typed text. So it is offered, not done.
document.addEventListener("wsx:gap", () => {
  find("#missed").hidden = false;
});
document.addEventListener("wsx:disconnected", ({ detail: { code, reason, willReconnect } }) => {
  if (willReconnect) show("connection lost, coming back", "off");
  else if (code === IDLE) show("asleep: touch the page to wake it", "off");
  else show(`closed: ${reason || code}. Load the page again to come back.`, "off");
});
