// wsx.js: the browser's side of WSX. No dependencies, no build step, no eval: works under `script-src 'self'; connect-src 'self'`.
//   <body wx-config="/ws">   <form wx-send="send-message" wx-target="#answer"> … </form>
// It tells the page by events: wsx:connected, disconnected, hello, beforeRequest, beforeSwap, afterSwap, gap, error.
(() => {
  "use strict";

  const FIRST_RETRY_MS = 500; // doubled with each failure, up to:
  const LONGEST_RETRY_MS = 30_000;
  const STABLE_MS = 5_000; // a connection that lived so long makes the next retry a first one again
  const ANSWER_WITHIN_MS = 30_000;
  const ACTIVE_EVERY_MS = 60_000;
  const MAX_QUEUED = 100;
  const MAX_HEARD = 1_000;
  const IDLE = 4408;
  // Not "scroll": a swap that scrolls is no user.
  const USER_IS_THERE = ["pointerdown", "keydown", "wheel", "touchmove", "visibilitychange"];

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // "500ms", "1.5s", "2m" -> milliseconds; anything else -> 0
  function milliseconds(text) {
    const [, number, unit = "ms"] = /^([\d.]+)(ms|s|m)?$/.exec(text) || [];
    return number * { ms: 1, s: 1_000, m: 60_000 }[unit] || 0;
  }

  function json(text) {
    try {
      return Object(JSON.parse(text || "{}"));
    } catch {
      console.error("wsx: not JSON:", text);
      return {};
    }
  }

  // On the element while it is in the page, else on the document. False when a listener cancelled it.
  const emit = (name, detail, element, cancelable) =>
    (element?.isConnected ? element : document).dispatchEvent(
      new CustomEvent(`wsx:${name}`, { detail, bubbles: true, cancelable }));

  // ---- swapping ----------------------------------------------------------------------------------------------------

  const METHODS = {
    __proto__: null,
    innerHTML: "replaceChildren", textContent: "replaceChildren", outerHTML: "replaceWith", delete: "remove",
    beforebegin: "before", afterbegin: "prepend", beforeend: "append", afterend: "after",
  };
  let putting = false; // what fires now (blur, change, focus) is our doing, not a user's

  // "beforeend scroll:bottom swap:100ms" -> {style: "beforeend", scroll: "bottom", swap: "100ms"}
  function parseSwap(text) {
    const [style, ...words] = String(text || "innerHTML").trim().split(/\s+/);
    return { ...Object.fromEntries(words.map((word) => word.split(":"))), style };
  }

  // A template takes rows and cells without their table; what it parses never runs as a script.
  function fragment(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content;
  }

  // Returns the element that stands for the target afterwards.
  function put(element, html, swap) {
    if (swap.style === "none") return element;
    const { activeElement: focused, activeElement: { id, selectionStart, selectionEnd, selectionDirection } } =
      element.contains(document.activeElement) ? document : { activeElement: {} };
    const content = swap.style === "textContent" ? html : fragment(html);
    const shown = { outerHTML: content.firstElementChild || element.parentElement, delete: element.parentElement }[swap.style];
    putting = true;
    try {
      // Of the prototype: a form's field may be named "remove".
      Element.prototype[METHODS[swap.style] || METHODS.innerHTML].call(element, content);
      const again = id && document.getElementById(id);
      if (again && again !== focused) {
        again.focus({ preventScroll: swap["focus-scroll"] !== "true" });
        if (selectionStart != null && again.selectionStart != null) {
          again.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
        }
      }
    } finally {
      putting = false;
    }
    return shown || element;
  }

  // ---- triggers ----------------------------------------------------------------------------------------------------

  // "keyup[key=='Enter'] changed delay:300ms, click once" -> [{event, condition, changed, delay, …}]
  const parseTriggers = (text) => text.split(/,(?![^[]*\])/).map((part) => {
    const [, event, condition = "", words] = /^\s*([\w:.-]+)(?:\[(.*?)\])?(.*)$/s.exec(part) || [];
    const trigger = { event, condition };
    for (const word of words?.match(/\S+/g) || []) {
      const [name, value = true] = word.split(":");
      trigger[name] = value;
    }
    trigger.delay = milliseconds(trigger.delay);
    trigger.throttle = milliseconds(trigger.throttle);
    const quiet = milliseconds(trigger.queue);
    if (quiet) Object.assign(trigger, { delay: quiet, queue: "last" }); // queue:500ms is delay:500ms queue:last
    return trigger;
  }).filter((trigger) => trigger.event);

  // One term of a condition: ctrlKey, ctrl, !repeat, Enter, key=='Enter', key!="a". Terms are joined by + or &&.
  const TERM = /(!?)(\w+)\s*(?:([!=])==?\s*(?:'([^']*)'|"([^"]*)"|(\w+)))?/g;

  function holds(condition, event) {
    if (/[^\s+&]/.test(condition.replace(TERM, ""))) {
      console.error("wsx: not understood:", condition);
      return false;
    }
    return [...condition.matchAll(TERM)].every(([, not, name, compare, ...values]) => {
      if (compare) return (String(event[name]) === values.find((value) => value != null)) === (compare === "=");
      const property = [name, `${name}Key`].find((known) => known in event);
      return Boolean(property ? event[property] : event.key === name || event.code === name) === !not;
    });
  }

  const defaultTrigger = (element) => element.matches("form") ? "submit"
    : element.matches("input:not([type=button],[type=submit],[type=image],[type=reset]),select,textarea") ? "change" : "click";

  // ---- what a request carries --------------------------------------------------------------------------------------

  const chosen = (field) => field.type === "checkbox" ? field.checked
    : field.multiple && field.options ? [...field.selectedOptions].map((option) => option.value) : field.value;

  // Named fields as text; multi-selects, checkboxes that share a name, and repeated names as arrays.
  function fieldsOf(form, submitter) {
    const data = { __proto__: null };
    for (const [name, value] of new FormData(form, submitter?.form === form ? submitter : null)) {
      if (typeof value !== "string") continue; // files do not travel by socket
      const fields = [...Reflect.get(HTMLFormElement.prototype, "elements", form)].filter((field) => field.name === name);
      const several = name in data || fields.some((field) => field.multiple && field.options)
        || fields.filter((field) => field.type === "checkbox").length > 1;
      data[name] = several ? [].concat(data[name] ?? [], value) : value;
    }
    return data;
  }

  function dataOf(element, { submitter }) {
    const isForm = element instanceof HTMLFormElement;
    const form = isForm ? element : element.matches("button,[type=submit],[type=image]") && element.form;
    return {
      ...(form && fieldsOf(form, isForm && submitter)),
      ...(!isForm && element.name && "value" in element && { [element.name]: chosen(element) }),
      ...json(element.getAttribute("wx-data")),
    };
  }

  let marks = 0;

  // A selector of this very element, so that any later answer finds it.
  function selectorOf(element) {
    const id = element.getAttribute("id");
    if (id) return `#${CSS.escape(id)}`;
    const selector = () => `[wx-id="${element.getAttribute("wx-id")}"]`;
    if (document.querySelector(selector()) !== element) element.setAttribute("wx-id", ++marks); // none yet, or a clone's
    return selector();
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  const TOO_BIG = 1009;
  const closedError = (id, code, reason) => code === TOO_BIG ? { id, code: "too_big", detail: reason || "the message is too long" }
    : { id, code: "closed", detail: "the connection is closed" };
  let owner = null; // the first WSX of the page: wx-send goes through it

  class WSX {
    connectionId = null;
    #socket = null;
    #openedAt = 0; // 0: not open
    #speaksV1 = false; // the server has chosen wsx.v1 before
    #plain = false; // this attempt offers no subprotocol
    #failures = 0;
    #timer = 0; // 0: no retry is waiting
    #slot = null; // ms, from a server that restarts
    #idle = false;
    #session = "";
    #heard = new Set(); // ids of broadcasts, oldest first
    #cursor = document.querySelector("meta[name=wsx-cursor]")?.content;
    #count = 0;
    #requests = new Map(); // id -> {text, element, resolve, reject, sent, timer}, oldest first
    #waiting = 0; // swaps that wait
    #tail = null; // the last of them
    #activeAt = performance.now();
    #bound = new WeakMap(); // element -> {triggers, stop}
    #observer = null;

    constructor({ url = "/ws", debug = false, keepAlive = false } = {}) {
      this.url = url;
      this.debug = debug;
      for (const name of USER_IS_THERE) {
        document.addEventListener(name, (event) => this.#userIsThere(event), { passive: true, capture: true });
      }
      addEventListener("focus", (event) => this.#userIsThere(event));
      addEventListener("online", () => this.#hurry());
      if (keepAlive) setInterval(() => this.#sayActive(), ACTIVE_EVERY_MS);
      if (!owner) this.#own();
      this.connect();
    }

    isConnected() {
      return this.#socket?.readyState === WebSocket.OPEN;
    }

    connect() {
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#slot = null;
      this.#idle = false;
      if (this.#socket) return;
      const url = new URL(this.url, document.baseURI);
      url.protocol = url.protocol.replace("http", "ws");
      if (this.#cursor) url.searchParams.set("cursor", this.#cursor);
      if (this.#session) url.searchParams.set("session", this.#session);
      const socket = this.#socket = new WebSocket(url, this.#plain ? [] : ["wsx.v1"]);
      const current = (work) => (event) => this.#socket === socket && work(event);
      socket.onopen = current(() => this.#opened());
      socket.onmessage = current(({ data }) => this.#received(data));
      socket.onclose = current(({ code, reason }) => {
        if (this.#openedAt || this.#plain || this.#speaksV1 || !this.#failures) return this.#closed(code, reason, code < 4400 || code > 4499);
        // Browsers fail a handshake whose server does not know the subprotocol. Twice may be that: ask once more, without.
        this.#socket = null;
        this.#plain = true;
        this.connect();
      });
    }

    disconnect() {
      this.#hangUp(false);
    }

    reconnect() {
      this.#hangUp(true);
      this.#failures = 0;
      this.connect();
    }

    // Ask a handler. Resolves with the answer's message; rejects when it is refused, 30 s pass, or the connection closes.
    send(handler, data = {}, { target = "", swap = "innerHTML" } = {}) {
      return this.#ask({ handler, target, trigger: "", data, swap });
    }

    #opened() {
      this.#openedAt = performance.now();
      this.#speaksV1 ||= this.#socket.protocol === "wsx.v1";
      this.#log("connected");
      emit("connected", { url: this.#socket.url });
      for (const [id, request] of this.#requests) if (!request.sent && this.isConnected()) this.#transmit(id, request);
    }

    #closed(code, reason, willReconnect) {
      const opened = this.#openedAt;
      this.#socket = this.connectionId = null;
      this.#openedAt = 0;
      this.#plain = false;
      if (opened && performance.now() - opened > STABLE_MS) this.#failures = 0;
      this.#idle = code === IDLE;
      if (willReconnect) {
        const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
        // Full jitter: a thousand pages must not come back together.
        this.#timer = setTimeout(() => this.connect(), this.#slot ?? Math.random() * longest);
      }
      for (const [id, { sent }] of [...this.#requests]) {
        if (sent || !(willReconnect || this.#idle)) this.#settle(id, closedError(id, code, reason));
      }
      this.#log("disconnected", code, reason);
      emit("disconnected", { code, reason, willReconnect });
    }

    #hangUp(willReconnect) {
      const socket = this.#socket;
      clearTimeout(this.#timer);
      this.#timer = 0;
      this.#closed(1000, "", willReconnect);
      socket?.close(1000);
    }

    // It may work now: do not wait for the timer. A slot from the server is kept.
    #hurry() {
      if (this.#timer && this.#slot == null) this.connect();
    }

    #userIsThere({ type }) {
      if (document.hidden) return;
      if (type === "visibilitychange") this.#hurry();
      if (this.#idle) this.connect();
      if (performance.now() - this.#activeAt >= ACTIVE_EVERY_MS) this.#sayActive();
    }

    #sayActive() {
      this.#activeAt = performance.now();
      if (this.isConnected()) this.#socket.send('{"type":"active"}');
    }

    // ---- requests --------------------------------------------------------------------------------------------------

    #ask(fields, element = null) {
      const request = { id: `req_${++this.#count}`, ...fields };
      const answer = new Promise((resolve, reject) => {
        if (!emit("beforeRequest", { request, element }, element, true)) return reject(new Error("cancelled"));
        const pending = { text: JSON.stringify(request), element, resolve, reject };
        this.#requests.set(request.id, pending);
        element?.classList.add("wx-request");
        if (this.isConnected()) return this.#transmit(request.id, pending);
        if (!this.#socket && !this.#timer && !this.#idle) return this.#settle(request.id, closedError(request.id));
        const queued = [...this.#requests].filter(([, { sent }]) => !sent);
        if (queued.length > MAX_QUEUED) {
          this.#settle(queued[0][0], { id: queued[0][0], code: "queue_full", detail: "too many requests wait for a connection" });
        }
      });
      answer.catch(() => {}); // wsx:error tells it: no one has to await
      return answer;
    }

    #transmit(id, request) {
      request.sent = true;
      request.timer = setTimeout(() => this.#settle(id, { id, code: "timeout", detail: "no answer came" }), ANSWER_WITHIN_MS);
      this.#activeAt = performance.now();
      this.#log("asks", request.text);
      this.#socket.send(request.text);
    }

    #settle(id, error, answer) {
      const { element, resolve, reject, timer } = this.#requests.get(id) || {};
      this.#requests.delete(id);
      clearTimeout(timer);
      if (![...this.#requests.values()].some((other) => other.element === element)) element?.classList.remove("wx-request");
      if (error) {
        emit("error", error, element);
        reject?.(Object.assign(new Error(error.detail), error));
      } else resolve?.(answer);
    }

    // ---- messages --------------------------------------------------------------------------------------------------

    #received(text) {
      this.#log("hears", text);
      const message = json(text);
      const { id, type, target, updates, oob } = message;
      const isHello = type === "hello";
      // Behind a hello follows what was missed, each message with its place, or a gap: until then ours is the truth.
      if (message.cursor && !(isHello && this.#cursor)) this.#cursor = message.cursor;
      // What has an id that was heard is pushed again, by a server that was not sure of it. Fragments of one update share its id.
      const ids = [message, ...[].concat(updates ?? [])].map((update) => Object(update).id);
      const heard = new Set(ids.filter((known) => this.#heard.has(known)));
      if (heard.has(id)) return;
      for (const known of ids) if (this.#speaksV1 && known && !/^req_/.test(known)) this.#heard.add(known);
      while (this.#heard.size > MAX_HEARD) this.#heard.delete(this.#heard.values().next().value);
      if (isHello) {
        this.connectionId = message.connection;
        this.#session = message.session;
      }
      if (isHello || type === "gap") emit(type, message);
      else if (type === "drain") this.#slot = Number(message.retry_in_ms) || 0;
      else if (type === "error") this.#settle(id, message);
      else if (type === "batch" || !type) {
        for (const update of [].concat(updates ?? (target ? message : []), oob ?? []).map(Object)) {
          if (!heard.has(update.id)) this.#swapInOrder(update, id);
        }
        this.#inOrder(0, () => this.#settle(id, null, message));
      }
    }

    #swapInOrder(update, id) {
      const swap = parseSwap(update.swap);
      const asker = this.#requests.get(id)?.element;
      const delay = milliseconds(swap.swap);
      if (delay) this.#find(update.target, asker)?.classList.add("wx-swapping");
      this.#inOrder(delay, () => this.#swap(update, swap, asker));
    }

    // At once while nothing waits; else after all that came before, and not before the own delay has passed.
    #inOrder(delay, work) {
      if (!delay && !this.#waiting) return work();
      this.#waiting++;
      this.#tail = Promise.all([this.#tail, document.hidden || wait(delay)]).then(work).finally(() => this.#waiting--);
    }

    #find(target, asker) {
      try {
        return target === "this" ? asker : document.querySelector(target);
      } catch {
        return null; // no selector at all
      }
    }

    #swap({ target, html }, swap, asker) {
      const element = this.#find(target, asker);
      const fail = (code, detail) => {
        console.debug("wsx:", detail);
        emit("error", { code, detail, target }, element);
      };
      if (!element) return fail("no_target", `no element is ${target}`);
      if (/^(script|style)$/i.test(element.localName)) return fail("no_target", `${target} is a ${element.localName}: no place for HTML`);
      element.classList.remove("wx-swapping");
      const detail = { target, html: String(html ?? ""), swap: swap.style, element };
      if (!emit("beforeSwap", detail, element, true)) return;
      try {
        const shown = put(element, detail.html, swap);
        if (swap.scroll) shown.scrollTop = swap.scroll === "top" ? 0 : shown.scrollHeight;
        if (swap.show) shown.scrollIntoView({ block: swap.show === "top" ? "start" : "end" });
        if (swap.settle) {
          shown.classList.add("wx-settling");
          wait(milliseconds(swap.settle)).then(() => shown.classList.remove("wx-settling"));
        }
        this.#bindNew();
        emit("afterSwap", detail, shown);
      } catch (error) {
        fail("swap_failed", String(error));
      }
    }

    // ---- elements with wx-send -------------------------------------------------------------------------------------

    #own() {
      owner = this;
      this.#observer = new MutationObserver((records) => this.#bindNew(records));
      this.#observer.observe(document, {
        childList: true, subtree: true, attributes: true, attributeFilter: ["wx-send", "wx-trigger"],
      });
      for (const element of document.querySelectorAll("[wx-send]")) this.#bind(element);
    }

    #bindNew(records = owner.#observer.takeRecords()) {
      for (const { target, type, addedNodes } of records) {
        if (type === "attributes") owner.#bind(target);
        for (const node of addedNodes) {
          if (node.nodeType !== Node.ELEMENT_NODE) continue;
          for (const element of [node, ...node.querySelectorAll("[wx-send]")]) owner.#bind(element);
        }
      }
    }

    // The listeners live on the element and go with it.
    #bind(element) {
      const triggers = element.hasAttribute("wx-send") && (element.getAttribute("wx-trigger") || defaultTrigger(element));
      const before = this.#bound.get(element);
      if ((before?.triggers || false) === triggers) return;
      before?.stop.abort();
      const stop = new AbortController();
      this.#bound.set(element, { triggers, stop });
      if (triggers) for (const trigger of parseTriggers(triggers)) this.#listen(element, trigger, stop.signal);
    }

    #listen(element, trigger, signal) {
      let timer = 0;
      let quietUntil = 0;
      const last = new WeakMap([[element, String(chosen(element))]]); // field -> its value when it was last asked for
      let done = false;
      let underWay = false;
      let queue = [];
      const ask = (request) => {
        if (underWay && trigger.queue) {
          if (trigger.queue === "last") queue = [request];
          else if (queue.length < { all: MAX_QUEUED, first: 1 }[trigger.queue]) queue.push(request);
          return;
        }
        underWay = true;
        this.#ask(request, element).catch(() => {}).then(() => {
          underWay = false;
          if (queue.length) ask(queue.shift());
        });
      };
      const run = (event) => element.isConnected && !signal.aborted && ask({
        handler: element.getAttribute("wx-send") || "",
        target: (element.getAttribute("wx-target") || "this").replace(/^this$/, () => selectorOf(element)),
        trigger: event.type,
        data: dataOf(element, event),
        swap: element.getAttribute("wx-swap") || "innerHTML",
      });
      element.addEventListener(trigger.event, (event) => {
        const link = event.type === "click" && element.closest("a[href]");
        if (putting || (link && (event.ctrlKey || event.metaKey || event.shiftKey))) return; // a new tab is the browser's
        if (event.type === "submit" || link || (event.type === "click" && element.form && /^(submit|image)$/.test(element.type))) event.preventDefault();
        if (done || !holds(trigger.condition, event)) return;
        const { target: field } = event;
        if (trigger.changed && field.type !== "radio") { // of radios it is the choice that changes
          const value = String(chosen(field));
          if (value === last.get(field)) return;
          last.set(field, value);
        }
        if (performance.now() < quietUntil) return;
        quietUntil = performance.now() + trigger.throttle;
        done = trigger.once;
        clearTimeout(timer);
        if (trigger.delay) timer = setTimeout(run, trigger.delay, event);
        else run(event);
      }, { signal });
    }

    #log(...words) {
      if (this.debug) console.debug("wsx:", ...words);
    }
  }

  function start() {
    const text = document.querySelector("[wx-config]")?.getAttribute("wx-config").trim();
    if (text != null) window.wsx = new WSX(text.startsWith("{") ? json(text) : { url: text || undefined });
  }

  window.WSX = WSX;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
