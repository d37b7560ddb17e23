// wsx.js: the browser's side of WSX. No dependencies, no build step, no eval: works under `script-src 'self'; connect-src 'self'`.
//   <body wx-config="/ws">   <form wx-send="send-message" wx-target="#answer"> … </form>
// It tells the page by events: wsx:connected, disconnected, hello, beforeRequest, beforeSwap, afterSwap, drain, gap, error.
// Pages get it as wsx.min.js, which `make client` makes of this. Its types are in wsx.d.ts.
(() => {
  "use strict";

  if (window.WSX?.on) return console.warn("wsx: loaded twice");

  const FIRST_RETRY_MS = 500; // doubled with each failure, up to:
  const MAX_RETRY_MS = 30_000;
  const STABLE_MS = 5_000; // a connection that lived so long makes the next retry a first one again
  const ACTIVE_EVERY_MS = 60_000;
  const SILENCE_MS = 10_000; // the server's own patience with a page
  const RELOAD_EVERY_MS = 60_000;
  const RELOAD_WITHIN_MS = 5_000; // not all pages in the same moment
  const MIN_INTERVAL_MS = 100;
  const MAX_QUEUED = 100;
  const MAX_HEARD = 1_000;
  const IDLE = 4408;
  // Not "scroll": a swap that scrolls is no user.
  const USER_EVENTS = ["pointerdown", "keydown", "wheel", "touchmove", "visibilitychange"];
  const FIELDS = "input:not([type=button],[type=submit],[type=image],[type=reset]),select,textarea";

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // "500ms", "1.5s", "2m" -> milliseconds; anything else -> 0
  function milliseconds(text) {
    const [, number, unit = "ms"] = /^([\d.]+)(ms|s|m)?$/.exec(text) || [];
    return number * { ms: 1, s: 1_000, m: 60_000 }[unit] || 0;
  }

  function json(text, what) {
    try {
      return Object(JSON.parse(text || "{}"));
    } catch {
      console.error(`wsx: ${what} is not JSON:`, text);
      return {};
    }
  }

  // On the element while it is in the page, else on the document. False when a listener cancelled it.
  const emit = (name, detail, element, cancelable) =>
    (element?.isConnected ? element : document).dispatchEvent(
      new CustomEvent(`wsx:${name}`, { detail, bubbles: true, cancelable }));

  function complain(element, error) {
    console.warn("wsx:", error.code, error.detail);
    emit("error", error, element);
  }

  const noTarget = (element, target) => complain(element, { code: "no_target", detail: `no place for HTML: ${target}`, target });

  const isAsked = (id) => /^req_/.test(id); // else it was broadcast

  const told = new Set();

  // Once: an element that comes again and again has the same mistake each time.
  function warn(text) {
    if (!told.has(text)) console.warn("wsx: not known:", text);
    told.add(text);
  }

  // ---- elements and their attributes -------------------------------------------------------------------------------

  // The nearest element with this attribute: most are inherited.
  const bearer = (element, attribute) => element.closest(`[${attribute}]`);
  const setting = (element, attribute) => bearer(element, attribute)?.getAttribute(attribute);

  // "#a, closest li" -> ["#a", "closest li"]; commas in brackets and escaped ones are left alone
  const list = (text) => String(text ?? "").split(/(?<!\\),(?![^[(]*[\])])/).map((part) => part.trim()).filter(Boolean);

  const all = (selector) => [...document.querySelectorAll(selector)];

  const beside = (from, selector, place) => all(selector).filter((other) => from.compareDocumentPosition(other) === place);
  const RELATIVE = {
    this: (from, _, self) => self,
    closest: (from, selector) => from.closest(selector),
    find: (from, selector) => from.querySelector(selector),
    next: (from, selector) => beside(from, selector, 4)[0],
    previous: (from, selector) => beside(from, selector, 2).at(-1),
  };

  const relative = (part) => /^(this|(?:closest|find|next|previous) )(.*)/.exec(part);

  // The elements that one part of a list means, seen from an element. "this" is the one that bears the attribute.
  function look(from, part, self = from) {
    const [, word, selector] = relative(part) || [];
    try {
      return word ? [RELATIVE[word.trim()](from, selector, self) || []].flat() : all(part);
    } catch {
      return []; // no selector at all
    }
  }

  // Of the prototype: a form's field may be named "classList".
  const classesOf = (element) => Reflect.get(Element.prototype, "classList", element);

  const named = (element, attribute) => list(setting(element, attribute)).flatMap((part) => look(element, part, bearer(element, attribute)));

  let marks = 0;

  // A selector of this very element, so that any later answer finds it.
  function selectorOf(element) {
    const id = element.getAttribute("id");
    if (id) return `#${CSS.escape(id)}`;
    const selector = () => `[wx-id="${element.getAttribute("wx-id")}"]`;
    if (document.querySelector(selector()) !== element) element.setAttribute("wx-id", ++marks); // none yet, or a clone's
    return selector();
  }

  // ---- swapping ----------------------------------------------------------------------------------------------------

  const METHODS = {
    __proto__: null,
    outerHTML: "replaceWith", delete: "remove", beforebegin: "before", afterbegin: "prepend", beforeend: "append", afterend: "after",
  };
  let putting = false; // what fires now (blur, change, focus) is our doing, not a user's

  const STYLE = /^(innerHTML|textContent|none|morph)$/;

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

  const isTyped = ({ value, defaultValue = value }) => value !== defaultValue;

  // Returns the element that stands for the target afterwards.
  function put(element, html, swap, asker) {
    if (swap.style === "none") return element;
    const { activeElement } = document;
    const { id, selectionStart, selectionEnd, selectionDirection } = element.contains(activeElement) ? activeElement : {};
    // Fields within that hold what somebody typed. An answer to their own form may empty them.
    const typed = [...element.querySelectorAll("input[id]:not([type=file]),textarea[id]")]
      .filter((field) => isTyped(field) && !(asker && (formOf(asker) || asker).contains(field)))
      .map((field) => [field.id, field.type, field.defaultValue, field.value]);
    const content = swap.style === "textContent" ? html : fragment(html);
    const shown = { outerHTML: content.firstElementChild || element.parentElement, delete: element.parentElement }[swap.style];
    putting = true;
    try {
      if (swap.style === "morph" && window.Idiomorph) Idiomorph.morph(element, [...content.childNodes], { morphStyle: "innerHTML" });
      // Of the prototype: a form's field may be named "remove".
      else Element.prototype[METHODS[swap.style] || "replaceChildren"].call(element, content);
      for (const [name, type, said, value] of typed) {
        const field = document.getElementById(name);
        if (field?.type === type && field.defaultValue === said) field.value = value; // the server has nothing new to say of it
      }
      const again = id && document.getElementById(id);
      if (again) {
        if (again !== document.activeElement) again.focus({ preventScroll: swap["focus-scroll"] !== "true" });
        if (selectionStart != null && again.selectionStart != null) {
          again.setSelectionRange(selectionStart, selectionEnd, selectionDirection);
        }
      }
    } finally {
      putting = false;
    }
    return shown || element;
  }

  // ---- screen readers ----------------------------------------------------------------------------------------------

  let region = null;

  // One region for the page, out of sight by a sheet of its own: style attributes are not for strict policies.
  function announce(text, tone) {
    if (!text.trim()) return;
    if (!region) {
      region = document.createElement("div");
      region.id = "wx-live";
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("#wx-live{position:fixed;clip-path:inset(50%)}");
      document.adoptedStyleSheets.push(sheet);
    }
    region.ariaLive = tone || "polite";
    if (!region.isConnected) document.body.append(region);
    wait(100).then(() => { // a live region says only what changes once it is known
      region.append(Object.assign(document.createElement("p"), { textContent: text.trim() }));
      if (region.childElementCount > 9) region.firstChild.remove(); // who reads back finds the last ones
    });
  }

  // ---- triggers ----------------------------------------------------------------------------------------------------

  const WORDS = /^(delay|throttle|queue|once|changed|from|target|consume)$/;

  // "keyup[key=='Enter'] changed delay:300ms, click from:(#a b) once" -> [{event, condition, changed, delay, from, …}]
  const parseTriggers = (text) => list(text).map((part) => {
    const [, event, condition = "", words] = /^([\w:.-]+)(?:\[(.*?)\])?(.*)$/s.exec(part) || [];
    const trigger = { event, condition };
    for (const [, name, inBrackets, value = inBrackets ?? true] of
      (words || "").matchAll(/(\w+)(?::(?:\((.*?)\)|((?:(?:closest|find|next|previous)\s+)?\S+)))?/g)) {
      if (!WORDS.test(name)) warn(`${name} in wx-trigger`);
      trigger[name] = value;
    }
    trigger.delay = milliseconds(trigger.delay);
    trigger.throttle = milliseconds(trigger.throttle);
    const quiet = milliseconds(trigger.queue);
    if (quiet) trigger.delay = quiet; // queue:500ms is delay:500ms queue:last
    if (quiet || trigger.queue === true) trigger.queue = "last";
    return trigger;
  }).filter((trigger) => trigger.event);

  // One term of a condition: ctrlKey, ctrl, !repeat, Enter, key=='Enter', value.length>=3. Terms are joined by + or &&.
  const TERM = /(!?)([\w.]+)\s*(?:([!=<>])(=?)=?\s*(?:'([^']*)'|"([^"]*)"|([\w.]+)))?/g;

  // "detail.count" of the event, "value.length" of the element that fired.
  const property = (name, event) => {
    const names = name.split(".");
    return names.reduce((of, key) => of?.[key], names[0] in event ? event : event.target);
  };

  function holds(condition, event) {
    if (/[^\s+&]/.test(condition.replace(TERM, ""))) {
      console.error("wsx: not understood:", condition);
      return false;
    }
    return [...condition.matchAll(TERM)].every(([, not, name, compare, orEqual, ...values]) => {
      if (`${name}Key` in event) name += "Key";
      const value = property(name, event);
      if (!compare) return (event.key === name || event.code === name || Boolean(value)) === !not;
      const wanted = values.join("");
      const same = String(value) === wanted;
      return { "=": same, "!": !same, "<": value < +wanted || (orEqual && same), ">": value > +wanted || (orEqual && same) }[compare];
    });
  }

  const defaultTrigger = (element) => element.matches("form") ? "submit" : element.matches(FIELDS) ? "change" : "click";

  // ---- what a request carries --------------------------------------------------------------------------------------

  const chosen = (field) => field.type === "checkbox" ? field.checked
    : field.files ? field.multiple ? [...field.files] : field.files[0]
    : field.multiple && field.options ? [...field.selectedOptions].map((option) => option.value) : field.value;

  const isCustom = (field) => field.localName.includes("-");

  // By name; multi-selects, several files, checkboxes that share a name and repeated names as arrays.
  function valuesOf(fields, submitter) {
    const data = { __proto__: null };
    const sent = fields.filter((field) => field.name
      && (field === submitter || field.matches(FIELDS) || isCustom(field)) && !field.matches(":disabled"));
    for (const field of sent) {
      const { name, type, checked } = field;
      const value = chosen(field);
      // What somebody's own element is worth it tells its form.
      const values = isCustom(field) ? new FormData(field.closest("form") || undefined).getAll(name)
        : /^(radio|checkbox)$/.test(type) ? checked ? [field.value] : [] : [].concat(value ?? []);
      const several = name in data || values.length > 1 || Array.isArray(value)
        || (type === "checkbox" && sent.some((other) => other !== field && other.name === name));
      if (values.length) data[name] = several ? [].concat(data[name] ?? [], values) : values[0];
    }
    return data;
  }

  // The form whose fields an element sends.
  const formOf = (element) => element instanceof HTMLFormElement ? element
    : element.matches("button,[type=submit],[type=image]") && element.form;

  function dataOf(element, submitter, more) {
    const form = formOf(element);
    const parts = [form || [], named(element, "wx-include")].flat();
    const fields = parts[0] ? all("*").filter((field) => field !== element
      && parts.some((part) => part instanceof HTMLFormElement && field.form?.nodeType ? field.form === part : part.contains(field))) : [];
    const data = valuesOf(fields, submitter);
    if (form !== element && element.name && "value" in element) data[element.name] = chosen(element);
    // data-wx-post-id -> postId
    for (const key in element.dataset) if (/^wx[A-Z]/.test(key)) data[key[2].toLowerCase() + key.slice(3)] = element.dataset[key];
    return { ...data, ...json(element.getAttribute("wx-data"), "wx-data"), ...more };
  }

  const base64 = (file) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.onerror = reject;
    reader.readAsDataURL(file);
  });

  // ---- while a request runs ----------------------------------------------------------------------------------------

  const unhidden = new WeakSet();

  // "wx-request" on the element that asks; what wx-loading names is shown, with the classes of wx-loading-class.
  function busyFor(element) {
    const classes = setting(element, "wx-loading-class")?.match(/\S+/g);
    const shown = named(element, "wx-loading");
    for (const one of shown) {
      if (one.hidden) unhidden.add(one);
      one.hidden = false;
    }
    return [[element, ["wx-request"]], ...(classes && !shown.length ? [element] : shown).map((one) => [one, classes || ["wx-loading"]])];
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  const TOO_BIG = 1009;
  const listeners = new Map(); // what wx-on-… calls, by name

  let owner = null; // of the first WSX: binds what is new in the page. All wx-send go through that one

  function WSX({ url = "/ws", debug = false, keepAlive = false, timeoutMs = 30_000, maxMessageBytes } = {}) {
    const wsx = Object.assign(this, { connectionId: null, on: WSX.on, isConnected, connect, disconnect, reconnect, send, trigger });
    let socket = null;
    let openedAt = 0; // 0: not open
    let failures = 0;
    let timer = 0; // 0: no retry is waiting
    let silence = 0; // a sign of life is waited for
    let reloads = false;
    let slot = null; // ms, from a server that restarts
    let idle = false;
    let session = "";
    let maxBytes = maxMessageBytes || 65_536; // of a message; the server says how many, unless the page does
    let cursor = document.querySelector("meta[name=wsx-cursor]")?.content;
    const seen = new Set(); // ids of broadcasts, oldest first
    const requests = new Map(); // id -> {text, element, busy, resolve, reject, sent, timer}, oldest first
    let count = 0; // of requests
    let waiting = 0; // swaps that wait
    let tail = null; // the last of them
    let activeAt = performance.now();

    function isConnected() {
      return socket?.readyState === WebSocket.OPEN;
    }

    function connect() {
      clearTimeout(timer);
      timer = 0;
      slot = null;
      idle = false;
      if (socket) return;
      const address = new URL(url, document.baseURI);
      address.protocol = address.protocol.replace("http", "ws");
      if (cursor) address.searchParams.set("cursor", cursor);
      if (session) address.searchParams.set("session", session);
      const own = socket = new WebSocket(address, "wsx.v1");
      const current = (work) => (event) => socket === own && work(event);
      own.onopen = current(opened);
      own.onmessage = current(received);
      own.onclose = current(({ code, reason }) => closed(code, reason, code < 4400 || code > 4499 || (keepAlive && code === IDLE)));
    }

    function disconnect() {
      if (socket || timer || idle) hangUp(false);
    }

    function reconnect() {
      if (socket) hangUp(true);
      failures = 0;
      connect();
    }

    // Ask a handler. Resolves with the answer's message; rejects when it is refused, its time is over, or the connection closes.
    function send(handler, data = {}, where = {}) {
      const { target = "", swap = "innerHTML" } = typeof where === "string" ? { target: where } : where;
      return ask({ fields: { handler, target, trigger: "", data, swap } });
    }

    // Ask as the element would, with more data. Resolves and rejects as send does.
    function trigger(element, data) {
      const asker = typeof element === "string" ? look(document, element)[0] : element;
      if (!asker?.hasAttribute("wx-send")) return ask(null, `no element with wx-send is ${element}`);
      return ask(wishOf(asker, { type: "programmatic" }, data));
    }

    function opened() {
      openedAt = performance.now();
      emit("connected", { url: socket.url });
      for (const [id, request] of requests) if (request.text && !request.sent && isConnected()) transmit(id, request);
    }

    function closed(code, reason, willReconnect) {
      const since = openedAt;
      socket = wsx.connectionId = null;
      openedAt = 0;
      clearTimeout(silence);
      if (since && performance.now() - since > STABLE_MS) failures = 0;
      idle = code === IDLE && !willReconnect;
      if (willReconnect) {
        const longest = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures++);
        // Full jitter: a thousand pages must not come back together.
        timer = setTimeout(connect, slot ?? Math.random() * longest);
      }
      for (const [id, { sent }] of [...requests]) {
        if (sent || !(willReconnect || idle)) lost(id, code, reason);
      }
      emit("disconnected", { code, reason, willReconnect });
    }

    function hangUp(willReconnect, code = 1000, reason = "") {
      const left = socket;
      clearTimeout(timer);
      timer = 0;
      closed(code, reason, willReconnect);
      left?.close(1000);
    }

    // It may work now: do not wait for the timer. A slot from the server is kept.
    function hurry() {
      if (timer && slot == null) connect();
    }

    function userIsThere({ type }) {
      if (document.hidden) return;
      if (type === "visibilitychange") hurry();
      if (idle) connect();
      if (performance.now() - activeAt >= ACTIVE_EVERY_MS) sayActive();
    }

    // The server says it, too. If nothing comes, the connection is dead, whatever the browser thinks of it.
    function sayActive() {
      activeAt = performance.now();
      if (!isConnected()) return;
      socket.send('{"type":"active"}');
      clearTimeout(silence);
      silence = setTimeout(hangUp, SILENCE_MS, true, 1006, "no sign of life");
    }

    // ---- requests --------------------------------------------------------------------------------------------------

    // What an element asks; nothing when its fields are not valid, its user says no, or its target is nowhere.
    function wishOf(element, { type, submitter }, more) {
      if (![undefined, "false"].includes(setting(element, "wx-validate")) && (formOf(element) || element).reportValidity?.() === false) {
        return complain(element, { code: "invalid", detail: "not valid" });
      }
      const question = setting(element, "wx-confirm");
      if (question && !confirm(question)) return;
      const wanted = setting(element, "wx-target");
      const targets = list(wanted || "this").map((part) => {
        const [found] = relative(part) ? look(element, part, wanted ? bearer(element, "wx-target") : element) : [];
        return found ? selectorOf(found) : part;
      });
      const nowhere = targets.find(relative);
      if (nowhere) return noTarget(element, nowhere);
      const swap = setting(element, "wx-swap") || "innerHTML";
      const { style } = parseSwap(swap);
      if (!METHODS[style] && !STYLE.test(style)) warn(`${style} in wx-swap`);
      return {
        fields: {
          handler: element.getAttribute("wx-send") || "",
          target: targets.join(", "),
          trigger: type,
          data: dataOf(element, submitter, more),
          swap,
        },
        element,
      };
    }

    function ask(wish, why = "cancelled") {
      const { fields, element = null } = wish || {};
      const id = `req_${++count}`;
      const request = { id, ...fields };
      const answer = new Promise((resolve, reject) => {
        if (!wish || !emit("beforeRequest", { request, element }, element, true)) return reject(new Error(why));
        const files = new Map(); // File -> what is sent of it
        const encode = () => JSON.stringify(request, (_, value) => {
          if (value instanceof Blob && !files.has(value)) files.set(value, { name: value.name, type: value.type, size: value.size, data: "" });
          return files.get(value) || value;
        });
        const text = encode();
        const busy = element ? busyFor(element) : [];
        const pending = { element, busy, resolve, reject };
        requests.set(id, pending);
        for (const [one, classes] of busy) classesOf(one).add(...classes);
        if ([...files.keys()].reduce((sum, { size }) => sum + 4 * Math.ceil(size / 3), new Blob([text]).size) > maxBytes) {
          refuse(id, "too_big", `more than ${maxBytes} bytes`);
        } else if (!files.size) enqueue(id, pending, text);
        else {
          Promise.all([...files].map(async ([file, sent]) => { sent.data = await base64(file); }))
            .then(() => enqueue(id, pending, encode()), () => refuse(id, "unreadable", "a file cannot be read"));
        }
      });
      answer.catch(() => {}); // wsx:error tells it: no one has to await
      return answer;
    }

    function enqueue(id, pending, text) {
      if (!requests.has(id)) return; // settled while its files were read
      pending.text = text;
      if (isConnected()) return transmit(id, pending);
      if (!socket && !timer && !idle) return lost(id);
      const [[oldest], ...others] = [...requests].filter(([, { sent }]) => !sent);
      if (others.length >= MAX_QUEUED) refuse(oldest, "queue_full", "too many requests");
    }

    function transmit(id, request) {
      request.sent = true;
      request.timer = setTimeout(() => {
        refuse(id, "timeout", "no answer came");
        sayActive();
      }, timeoutMs);
      activeAt = performance.now();
      log("asks", request.text);
      socket.send(request.text);
    }

    const refuse = (id, code, detail) => settle(id, { id, code, detail });
    const lost = (id, code, reason) => code === TOO_BIG ? refuse(id, "too_big", reason || "too long") : refuse(id, "closed", "not connected");

    function settle(id, error, answer) {
      const { element, busy = [], resolve, reject, timer } = requests.get(id) || {};
      requests.delete(id);
      clearTimeout(timer);
      const others = [...requests.values()].flatMap((other) => other.busy);
      for (const [one, classes] of busy) {
        const kept = others.filter(([other]) => other === one).flatMap(([, names]) => names);
        classesOf(one).remove(...classes.filter((name) => !kept.includes(name)));
        if (!kept[0] && unhidden.delete(one)) one.hidden = true;
      }
      if (error) {
        complain(element, error);
        reject?.(Object.assign(new Error(error.detail), error));
      } else resolve?.(answer);
    }

    // ---- messages --------------------------------------------------------------------------------------------------

    function received({ data: text }) {
      clearTimeout(silence);
      log("hears", text);
      const message = json(text, "a message");
      const { id, type, target, updates, oob } = message;
      const isHello = type === "hello";
      // Behind a hello follows what was missed, each message with its place, or a gap: until then ours is the truth.
      if (message.cursor && !(isHello && cursor)) cursor = message.cursor;
      // What has an id that was heard is pushed again, by a server that was not sure of it. Fragments of one update share its id.
      const ids = [message, ...[].concat(updates ?? [])].map((update) => Object(update).id);
      const heard = new Set(ids.filter((known) => seen.has(known)));
      if (heard.has(id)) return;
      for (const known of ids) if (known && !isAsked(known)) seen.add(known);
      for (const oldest of seen) if (seen.size > MAX_HEARD) seen.delete(oldest);
      if (isHello) {
        wsx.connectionId = message.connection;
        session = message.session;
        maxBytes = maxMessageBytes || message.max_message_bytes || maxBytes;
      }
      if (type === "drain") slot = Number(message.retry_in_ms) || 0;
      if (type === "error") settle(id, message);
      else if (type === "batch" || !type) {
        for (const update of [].concat(updates ?? (target ? message : []), oob ?? []).map(Object)) {
          if (!heard.has(update.id)) swapInOrder(update, { message, update, isOOB: !type && update !== message }, requests.get(id)?.element);
        }
        inOrder(0, () => settle(id, null, message));
      } else if (isHello || type === "drain" || type === "gap") {
        const goesOn = emit(type, message, null, true);
        // A page that wants to is loaded anew, unless it has none of the places in which something was missed.
        const places = [].concat(message.targets ?? []);
        if (goesOn && type === "gap" && find("[wx-gap=reload]") && (!places.length || places.some((place) => find(place)))) reload();
      }
    }

    // Not in the same moment as all other pages, nor again and again, nor under the hands of somebody who types.
    function reload() {
      if (reloads) return;
      reloads = true;
      const wasReloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
      wait(Math.max(0, wasReloaded && RELOAD_EVERY_MS - performance.now()) + Math.random() * RELOAD_WITHIN_MS).then(() => {
        reloads = false;
        if (isTyped(document.activeElement)) reload();
        else location.reload();
      });
    }

    function swapInOrder(update, about, asker) {
      const swap = parseSwap(update.swap);
      const delay = milliseconds(swap.swap);
      // The answer to a request with several targets is for each of them.
      for (const target of isAsked(about.message.id) && !about.isOOB ? list(update.target) : [update.target]) {
        const element = delay && find(target, asker);
        if (element) classesOf(element).add("wx-swapping");
        inOrder(delay, () => swapIn({ target, html: String(update.html ?? ""), swap: swap.style, ...about }, swap, asker));
      }
    }

    // At once while nothing waits; else after all that came before, and not before the own delay has passed.
    function inOrder(delay, work) {
      if (!delay && !waiting) return work();
      waiting++;
      tail = Promise.all([tail, document.hidden || wait(delay)]).then(work).catch(console.error).finally(() => waiting--);
    }

    function find(target, asker) {
      try {
        return target === "this" ? asker : document.querySelector(target);
      } catch {
        return null; // no selector at all
      }
    }

    function swapIn(detail, swap, asker) {
      const { target, message } = detail;
      const element = detail.element = find(target, asker);
      // A page need not have a place for all that is broadcast.
      if (!element && !isAsked(message.id)) return console.debug("wsx: nowhere:", target);
      if (!element || /^(script|style)$/i.test(element.localName)) return noTarget(element, target);
      classesOf(element).remove("wx-swapping");
      if (!emit("beforeSwap", detail, element, true)) return;
      try {
        const tone = setting(element, "wx-announce");
        const shown = put(element, detail.html, swap, asker);
        if (swap.scroll) shown.scrollTop = swap.scroll === "top" ? 0 : shown.scrollHeight;
        if (swap.show) shown.scrollIntoView({ block: swap.show === "top" ? "start" : "end" });
        if (swap.settle) {
          const classes = classesOf(shown);
          classes.add("wx-settling");
          wait(milliseconds(swap.settle)).then(() => classes.remove("wx-settling"));
        }
        if (![undefined, "off"].includes(tone) && !/^(none|delete)$/.test(swap.style)) {
          announce(swap.style === "textContent" ? detail.html : fragment(detail.html).textContent, tone);
        }
        owner();
        emit("afterSwap", detail, shown);
      } catch (error) {
        complain(element, { code: "swap_failed", detail: String(error), target });
      }
    }

    // ---- elements with wx-send and wx-on-… --------------------------------------------------------------------------

    function bindAll(node) {
      if (node.querySelectorAll) [node, ...node.querySelectorAll("*")].forEach(bind);
    }

    const bound = new WeakMap(); // element -> {triggers, stop}

    function bindNew(records) {
      for (const { target, type, addedNodes, removedNodes } of records) {
        if (type === "attributes") bind(target);
        else [...removedNodes, ...addedNodes].forEach(bindAll);
      }
    }

    // As the element is now: also when it left.
    function bind(element) {
      const attributes = element.getAttributeNames().filter((name) => /^wx-(on-|send$)/.test(name));
      const known = bound.get(element) || {};
      if (attributes[0] && !bound.has(element)) {
        bound.set(element, known);
        for (const attribute of attributes) if (attribute !== "wx-send") call(element, attribute);
      }
      const triggers = element.isConnected && element.hasAttribute("wx-send") && (element.getAttribute("wx-trigger") || defaultTrigger(element));
      if ((known.triggers || false) === triggers) return;
      known.triggers = triggers;
      known.stop?.abort();
      known.stop = new AbortController();
      for (const trigger of parseTriggers(triggers)) listen(element, trigger, known.stop.signal);
    }

    // wx-on-click="name"; names of attributes have no capitals: wx-on-wsx:after-swap is wsx:afterSwap.
    function call(element, attribute) {
      const event = attribute.slice(6).replace(/^wsx:.*/, (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase()));
      element.addEventListener(event, (event) => {
        const name = element.getAttribute(attribute);
        if (listeners.has(name)) listeners.get(name)(event, element);
        else if (name) console.error("wsx: no listener is called", name);
      });
    }

    function listen(element, trigger, signal) {
      let timer = 0;
      let quietUntil = 0;
      const last = new WeakMap([[element, String(chosen(element))]]); // field -> its value when it was last asked for; else as the page had it
      let done = false;
      let underWay = false;
      let queue = [];
      const askInTurn = (wish) => {
        if (underWay && trigger.queue) {
          if (trigger.queue === "last") queue = [wish];
          else if (queue.length < { all: MAX_QUEUED, first: 1 }[trigger.queue]) queue.push(wish);
          return;
        }
        underWay = true;
        ask(wish).catch(() => {}).then(() => {
          underWay = false;
          if (queue.length) askInTurn(queue.shift());
        });
      };
      const run = (event) => {
        const wish = element.isConnected && !signal.aborted && wishOf(element, event);
        if (wish) askInTurn(wish);
      };
      const handle = (event) => {
        const isClick = event.type === "click";
        const link = isClick && element.closest("a[href]");
        if (link && (event.ctrlKey || event.metaKey || event.shiftKey)) return; // a new tab is the browser's
        if (event.type === "submit" || link || (isClick && element.form && /^(submit|image)$/.test(element.type))) event.preventDefault();
        const { target: field } = event;
        if (putting || done || (trigger.target && !field.closest?.(trigger.target)) || !holds(trigger.condition, event)) return;
        if (trigger.consume) event.stopPropagation();
        if (trigger.changed && !/^(radio|file)$/.test(field.type)) { // of radios it is the choice that changes
          const value = String(chosen(field));
          if (value === (last.get(field) ?? field.defaultValue)) return;
          last.set(field, value);
        }
        if (performance.now() < quietUntil) return;
        quietUntil = performance.now() + trigger.throttle;
        done = trigger.once;
        clearTimeout(timer);
        if (trigger.delay) timer = setTimeout(run, trigger.delay, event);
        else run(event);
      };
      // Where the event comes from. All of it ends with the signal, when the element leaves.
      const { event, from } = trigger;
      const [kind, value] = event.split(":");
      const fire = () => signal.aborted || handle({ type: kind, target: element, stopPropagation() {} });
      if (from === "window" || from === "document") window[from].addEventListener(event, handle, { signal });
      else if (from) {
        // Heard where all events pass, so that what arrives later is heard, too; on the way up, so that it can be consumed.
        for (const capture of [true, false]) {
          document.addEventListener(event, (event) => {
            const { target, bubbles } = event;
            if (capture !== bubbles && look(element, from).some((other) => bubbles ? other.contains(target) : other === target)) handle(event);
          }, { capture, signal });
        }
      } else if (event === "load") wait(0).then(fire);
      else if (kind === "interval" && milliseconds(value)) {
        const ticking = setInterval(() => isConnected() && !underWay && fire(), Math.max(MIN_INTERVAL_MS, milliseconds(value)));
        signal.addEventListener("abort", () => clearInterval(ticking));
      } else if (kind === "intersect") {
        const threshold = Math.min(1, Number(value) || 0);
        const observer = new IntersectionObserver(
          (entries) => entries.some((entry) => entry.isIntersecting && entry.intersectionRatio >= threshold) && fire(), { threshold });
        observer.observe(element);
        signal.addEventListener("abort", () => observer.disconnect());
      } else element.addEventListener(event, handle, { signal });
    }

    function log(...words) {
      if (debug) console.debug("wsx:", ...words);
    }

    for (const name of USER_EVENTS) document.addEventListener(name, userIsThere, { passive: true, capture: true });
    addEventListener("focus", userIsThere);
    addEventListener("online", () => {
      hurry();
      sayActive();
    });
    if (keepAlive) setInterval(sayActive, ACTIVE_EVERY_MS);
    connect();
    if (!owner) {
      const observer = new MutationObserver(bindNew);
      observer.observe(document, { childList: true, subtree: true, attributeFilter: ["wx-send", "wx-trigger"] });
      owner = () => bindNew(observer.takeRecords());
      bindAll(document.documentElement);
    }
  }

  // `listener` is called with the event and the element by each wx-on-…="name".
  WSX.on = (name, listener) => void listeners.set(name, listener);

  function start() {
    const text = document.querySelector("[wx-config]")?.getAttribute("wx-config").trim();
    if (text != null) window.wsx = new WSX(text.startsWith("{") ? json(text, "wx-config") : { url: text || undefined });
  }

  window.WSX = WSX;
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
