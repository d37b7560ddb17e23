// wsx.js: the browser's side of WSX. One script, no dependencies, no build step, no eval; works under a strict CSP.
//
//   <body wx-config='{"url": "/ws"}'>
//   <form wx-send="send-message" wx-target="#answer"> … </form>
//
// The page is told by events on the document: wsx:connected, wsx:disconnected, wsx:hello, wsx:beforeRequest, wsx:beforeSwap,
// wsx:afterSwap, wsx:gap, wsx:error. beforeRequest and beforeSwap can be cancelled.
(() => {
  "use strict";

  const FIRST_RETRY_MS = 500; // doubled with each failure, up to:
  const LONGEST_RETRY_MS = 30_000;
  const STABLE_MS = 5_000; // a connection that lived so long makes the next retry a first one again
  const ANSWER_WITHIN_MS = 30_000;
  const MAX_QUEUED = 100; // requests kept while there is no connection
  const ACTIVE_EVERY_MS = 60_000;
  const IDLE = 4408;
  const USER_IS_THERE = ["pointerdown", "keydown", "scroll", "visibilitychange"];

  const milliseconds = (text) => {
    const [, number, unit] = /^([\d.]+)(ms|s|m)?$/.exec(text || "") || [];
    return number ? number * { ms: 1, s: 1_000, m: 60_000 }[unit || "ms"] : 0;
  };

  const emit = (element, name, detail, cancelable = false) =>
    (element && element.isConnected ? element : document).dispatchEvent(
      new CustomEvent(`wsx:${name}`, { detail, bubbles: true, cancelable }));

  const json = (text) => {
    try {
      return text ? JSON.parse(text) : {};
    } catch (error) {
      console.error("wsx: not JSON:", text);
      return {};
    }
  };

  // ---- swapping ----------------------------------------------------------------------------------------------------

  // "beforeend scroll:bottom swap:100ms" -> {style, swap, settle, show, scroll, focusScroll}
  function parseSwap(text) {
    const [style, ...words] = (text || "innerHTML").trim().split(/\s+/);
    const swap = { style };
    for (const word of words) {
      const at = word.indexOf(":");
      const [name, value] = [word.slice(0, at), word.slice(at + 1)];
      if (name === "swap" || name === "settle") swap[name] = milliseconds(value);
      else if (name === "show" || name === "scroll") swap[name] = value;
      else if (name === "focus-scroll") swap.focusScroll = value === "true";
    }
    return swap;
  }

  // Nodes of a fragment. A template takes rows and cells without a table; scripts in it never run.
  function parse(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const script of template.content.querySelectorAll("script")) script.remove();
    return template.content;
  }

  const STYLES = {
    innerHTML: (element, html) => element.replaceChildren(parse(html)),
    outerHTML: (element, html) => element.replaceWith(parse(html)),
    beforebegin: (element, html) => element.before(parse(html)),
    afterbegin: (element, html) => element.prepend(parse(html)),
    beforeend: (element, html) => element.append(parse(html)),
    afterend: (element, html) => element.after(parse(html)),
    delete: (element) => element.remove(),
    textContent: (element, html) => { element.textContent = html; },
    none: () => {},
  };

  // Do the swap, and give focus and caret back to the element of the same id, if it is there again.
  function swapIn(element, html, swap) {
    const focused = document.activeElement;
    const id = focused && element.contains(focused) ? focused.id : "";
    const { value, selectionStart, selectionEnd } = id ? focused : {};
    (STYLES[swap.style] || STYLES.innerHTML)(element, html);
    const again = id && document.getElementById(id);
    if (again && again !== document.activeElement) {
      again.focus({ preventScroll: !swap.focusScroll });
      if (typeof selectionStart === "number" && again.value === value) again.setSelectionRange(selectionStart, selectionEnd);
    }
    return again;
  }

  function scrollFor(element, swap) {
    if (swap.scroll) element.scrollTop = swap.scroll === "top" ? 0 : element.scrollHeight;
    if (swap.show) element.scrollIntoView({ block: swap.show === "top" ? "start" : "end" });
  }

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // ---- triggers ----------------------------------------------------------------------------------------------------

  // "keyup[key=='Enter'] changed delay:300ms, click once" -> [{event, conditions, once, changed, delay, throttle, queue}]
  function parseTriggers(text) {
    return text.split(/,(?![^[]*\])/).map((part) => {
      const [, event, condition, words] = /^\s*([\w:.-]+)(?:\[([^\]]*)\])?(.*)$/s.exec(part) || [];
      const trigger = { event, conditions: condition ? condition.split("+").map(parseCondition) : [] };
      for (const word of (words || "").trim().split(/\s+/)) {
        const [name, value] = word.split(":");
        if (name === "once" || name === "changed") trigger[name] = true;
        else if (name === "delay" || name === "throttle") trigger[name] = milliseconds(value);
        else if (name === "queue") {
          if (/^\d/.test(value)) trigger.delay = milliseconds(value);
          else trigger.queue = value;
        }
      }
      return trigger;
    }).filter((trigger) => trigger.event);
  }

  // "ctrlKey" and "shiftKey": truths of the event; "key=='Enter'" compares; anything else is the key itself. No eval.
  function parseCondition(text) {
    const [, name, , value] = /^\s*(\w+)\s*(===?)\s*['"]?(.*?)['"]?\s*$/.exec(text) || [];
    if (name) return (event) => String(event[name]) === value;
    const word = text.trim();
    if (/^(ctrl|shift|alt|meta)Key$/.test(word)) return (event) => event[word];
    return (event) => event.key === word || event.code === word;
  }

  const defaultTrigger = (element) =>
    element.matches("form") ? "submit" : element.matches("input:not([type=button],[type=submit]),select,textarea") ? "change" : "click";

  // ---- what a request carries --------------------------------------------------------------------------------------

  function formData(form, submitter) {
    const data = {};
    for (const [name, value] of new FormData(form, submitter)) {
      if (typeof value !== "string") continue;
      const several = name in data || form.querySelectorAll(`[name="${CSS.escape(name)}"]:is([type=checkbox], select[multiple])`).length > 1
        || form.elements[name]?.multiple;
      data[name] = several ? [].concat(data[name] ?? [], value) : value;
    }
    return data;
  }

  function dataOf(element, event) {
    const submitter = event?.submitter && event.submitter.form === element ? event.submitter : null;
    const own = element.matches("form") ? formData(element, submitter)
      : element.matches("input,select,textarea") && element.name
        ? { [element.name]: element.type === "checkbox" ? element.checked : element.value }
        : element.form && element.matches("button") ? formData(element.form, element.type === "submit" ? element : null) : {};
    return { ...own, ...json(element.getAttribute("wx-data")) };
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  class WSX {
    #socket = null;
    #wanted = false; // whether there should be a connection
    #failures = 0;
    #timer = 0;
    #openedAt = 0;
    #retryIn = null; // our slot, told by a server that restarts
    #cursor = document.querySelector("meta[name=wsx-cursor]")?.content || "";
    #requests = new Map(); // id -> {resolve, reject, timer, element}
    #queued = [];
    #count = 0;
    #swapping = Promise.resolve(); // swaps with a delay hold up the later ones: order is kept
    #waits = 0;
    #bound = new WeakMap(); // element -> its attributes when it was bound
    #activeAt = Date.now();
    #idle = false;

    constructor({ url = "/ws", root = document, debug = false, keepAlive = false, connect = true } = {}) {
      this.url = url;
      this.root = root;
      this.debug = debug;
      this.keepAlive = keepAlive;
      this.connectionId = null;
      this.#bind(root);
      new MutationObserver((records) => this.#mutated(records)).observe(root, {
        childList: true, subtree: true, attributes: true, attributeFilter: ["wx-send", "wx-trigger"],
      });
      for (const name of USER_IS_THERE) document.addEventListener(name, () => this.#userIsThere(), { passive: true, capture: true });
      addEventListener("online", () => this.#hurry());
      addEventListener("focus", () => this.#userIsThere());
      if (keepAlive) setInterval(() => this.#sayActive(), ACTIVE_EVERY_MS);
      if (connect) this.connect();
    }

    isConnected() {
      return this.#socket?.readyState === WebSocket.OPEN;
    }

    connect() {
      this.#wanted = true;
      if (this.#socket) return;
      clearTimeout(this.#timer);
      const url = new URL(this.url, location.href);
      url.protocol = url.protocol.replace("http", "ws");
      if (this.#cursor) url.searchParams.set("cursor", this.#cursor);
      const socket = this.#socket = new WebSocket(url, ["wsx.v1"]);
      socket.onopen = () => this.#opened();
      socket.onmessage = (event) => this.#received(event.data);
      socket.onclose = (event) => this.#closed(socket, event);
    }

    disconnect() {
      this.#wanted = false;
      clearTimeout(this.#timer);
      this.#socket?.close(1000);
    }

    reconnect() {
      this.#wanted = true;
      this.#failures = 0;
      this.#retryIn = 0;
      if (this.#socket) this.#socket.close(1000);
      else this.connect();
    }

    // Ask a handler something. Resolves with the answer's message; rejects when none comes.
    send(handler, data = {}, { target = "", swap = "", trigger = "", element = null } = {}) {
      const request = { id: `req_${++this.#count}`, handler, target, trigger, data, swap };
      if (!emit(element, "beforeRequest", { request, element }, true)) return Promise.reject(new Error("cancelled"));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => this.#giveUp(request.id, "no answer came in time"), ANSWER_WITHIN_MS);
        this.#requests.set(request.id, { resolve, reject, timer, element });
        element?.classList.add("wx-request");
        if (this.isConnected()) this.#socket.send(JSON.stringify(request));
        else {
          this.#queued.push(request);
          if (this.#queued.length > MAX_QUEUED) this.#giveUp(this.#queued.shift().id, "too many requests wait for a connection");
        }
      });
    }

    #opened() {
      this.#openedAt = Date.now();
      this.#log("connected");
      emit(null, "connected", { url: this.url });
      for (const request of this.#queued.splice(0)) this.#socket.send(JSON.stringify(request));
    }

    #closed(socket, { code, reason }) {
      if (socket !== this.#socket) return;
      this.#socket = this.connectionId = null;
      if (this.#openedAt && Date.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
      this.#openedAt = 0;
      this.#idle = code === IDLE;
      const stay = code >= 4400 && code < 4500;
      const willReconnect = this.#wanted && !stay;
      const queued = new Set(this.#queued.map((request) => request.id));
      for (const id of [...this.#requests.keys()]) if (!queued.has(id)) this.#giveUp(id, "the connection was closed");
      this.#log("disconnected", code, reason);
      emit(null, "disconnected", { code, reason, willReconnect });
      if (!willReconnect) return;
      const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
      const slot = this.#retryIn ?? Math.random() * longest; // full jitter: a thousand pages must not come back at once
      this.#retryIn = null;
      this.#timer = setTimeout(() => this.connect(), slot);
    }

    // There is reason to believe that it works now: do not wait for the timer.
    #hurry() {
      if (!this.#wanted || this.#socket) return;
      this.#failures = 0;
      this.connect();
    }

    #userIsThere() {
      if (document.visibilityState === "hidden") return;
      if (this.#idle && this.#wanted && !this.#socket) {
        this.#idle = false;
        this.connect();
      } else if (Date.now() - this.#activeAt >= ACTIVE_EVERY_MS) this.#sayActive();
    }

    #sayActive() {
      this.#activeAt = Date.now();
      if (this.isConnected()) this.#socket.send('{"type":"active"}');
    }

    #received(text) {
      const message = json(text);
      if (message.cursor) this.#cursor = message.cursor;
      switch (message.type) {
        case "hello":
          this.connectionId = message.connection;
          return void emit(null, "hello", message);
        case "drain":
          this.#retryIn = message.retry_in_ms;
          return;
        case "gap":
          return void emit(null, "gap", message);
        case "error":
          emit(this.#requests.get(message.id)?.element, "error", message);
          return this.#finish(message.id, (request) => request.reject(Object.assign(new Error(message.detail), message)));
        case "batch":
          return this.#swapAll(message.updates);
        default:
          this.#swapAll([message, ...(message.oob || [])], this.#requests.get(message.id)?.element);
          return this.#finish(message.id, (request) => request.resolve(message));
      }
    }

    #finish(id, settle) {
      const request = this.#requests.get(id);
      if (!request) return;
      this.#requests.delete(id);
      clearTimeout(request.timer);
      request.element?.classList.remove("wx-request");
      settle(request);
    }

    #giveUp(id, detail) {
      this.#queued = this.#queued.filter((request) => request.id !== id);
      const element = this.#requests.get(id)?.element;
      this.#finish(id, (request) => request.reject(new Error(detail)));
      emit(element, "error", { id, code: "no_answer", detail });
    }

    // In order, always: as long as nothing waits, at once; behind a delayed swap, after it.
    #swapAll(updates, asker) {
      for (const update of updates) {
        const swap = parseSwap(update.swap);
        if (!this.#waits && !swap.swap) {
          this.#swapOne(update, swap, asker);
          continue;
        }
        this.#waits++;
        this.#swapping = this.#swapping.then(() => swap.swap && wait(swap.swap))
          .then(() => this.#swapOne(update, swap, asker))
          .catch((error) => console.error("wsx:", error))
          .finally(() => this.#waits--);
      }
    }

    #swapOne({ target, html = "" }, swap, asker) {
      let element = null;
      try {
        element = target === "this" || (!target && asker) ? asker : document.querySelector(target);
      } catch (error) {
        console.error("wsx: not a selector:", target);
      }
      if (!element) {
        this.#log("no element for", target);
        return;
      }
      const detail = { target, html, swap: swap.style, element };
      if (!emit(element, "beforeSwap", detail, true)) return;
      const parent = element.parentElement;
      swapIn(element, detail.html, swap);
      const shown = element.isConnected ? element : document.querySelector(target) || parent;
      if (!shown) return;
      scrollFor(shown, swap);
      if (swap.settle) {
        shown.classList.add("wx-settling");
        setTimeout(() => shown.classList.remove("wx-settling"), swap.settle);
      }
      emit(shown, "afterSwap", detail);
    }

    // ---- elements with wx-send -------------------------------------------------------------------------------------

    #mutated(records) {
      for (const { type, target, addedNodes } of records) {
        if (type === "attributes") this.#bindOne(target);
        else for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) this.#bind(node);
      }
    }

    #bind(root) {
      if (root.matches?.("[wx-send]")) this.#bindOne(root);
      for (const element of root.querySelectorAll("[wx-send]")) this.#bindOne(element);
    }

    #bindOne(element) {
      const triggers = element.getAttribute("wx-trigger") || defaultTrigger(element);
      const known = this.#bound.get(element);
      if (known?.triggers === triggers && element.hasAttribute("wx-send")) return;
      known?.stop.abort();
      this.#bound.delete(element);
      if (!element.hasAttribute("wx-send")) return;
      const stop = new AbortController();
      this.#bound.set(element, { triggers, stop });
      for (const trigger of parseTriggers(triggers)) this.#listen(element, trigger, stop.signal);
    }

    #listen(element, trigger, signal) {
      let timer = 0;
      let quietUntil = 0;
      let last = element.value;
      let running = null;
      let next = [];
      const run = (event) => {
        if (running && trigger.queue) {
          if (trigger.queue === "all") next.push(event);
          else if (trigger.queue === "last") next = [event];
          else if (trigger.queue === "first" && !next.length) next = [event];
          return;
        }
        running = this.#ask(element, event).catch(() => {}).finally(() => {
          running = null;
          if (next.length) run(next.shift());
        });
      };
      const heard = (event) => {
        if (event.type === "submit" || (event.type === "click" && element.closest("a[href], form button, form [type=submit]"))) event.preventDefault();
        if (!trigger.conditions.every((holds) => holds(event))) return;
        if (trigger.changed && element.value === last) return;
        last = element.value;
        if (trigger.once) off.abort();
        if (trigger.throttle) {
          if (Date.now() < quietUntil) return;
          quietUntil = Date.now() + trigger.throttle;
        }
        clearTimeout(timer);
        if (trigger.delay) timer = setTimeout(() => element.isConnected && run(event), trigger.delay);
        else run(event);
      };
      const off = new AbortController();
      element.addEventListener(trigger.event, heard, { signal: AbortSignal.any([off.signal, signal]) });
    }

    #ask(element, event) {
      const target = element.getAttribute("wx-target") || "this";
      const swap = element.getAttribute("wx-swap") || "innerHTML";
      return this.send(element.getAttribute("wx-send"), dataOf(element, event), { target, swap, trigger: event.type, element });
    }

    #log(...words) {
      if (this.debug) console.debug("wsx:", ...words);
    }
  }

  // ---- starting by itself ------------------------------------------------------------------------------------------

  function start() {
    const element = document.querySelector("[wx-config]");
    if (!element) return;
    const text = element.getAttribute("wx-config").trim();
    window.wsx = new WSX(text.startsWith("{") ? json(text) : text ? { url: text } : {});
  }

  window.WSX = WSX;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
