/* Candor for the pages of a shop. Served as written here; docs/connecting.md says how to use it. */
(() => {
  "use strict";
  const script = document.currentScript;
  const early = window.candor || [];
  if (!script || early.track) return;
  const { key, consent, page } = script.dataset;
  const host = new URL(script.src).origin;
  const memory = {};
  const queue = [];
  const watched = new WeakMap();
  const campaign = {};
  let visitor, user, timer, busy;
  let pause = 250;

  // Where storage is blocked, this page remembers and the next does not.
  const kept = (name) => {
    try {
      return localStorage.getItem(name);
    } catch (error) {
      return memory[name];
    }
  };
  const keep = (name, value) => {
    memory[name] = value;
    try {
      if (value) localStorage.setItem(name, value);
      else localStorage.removeItem(name);
    } catch (error) {}
  };

  // true, false, or undefined while nobody was asked: then events wait here and nothing is stored.
  const allowed = () => {
    const said = kept("candor-consent");
    if (said) return said === "yes";
    return navigator.globalPrivacyControl ? false : consent === "given" || undefined;
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");
  const anonymous = () => {
    visitor = kept("candor-visitor") || visitor || random();
    if (allowed()) keep("candor-visitor", visitor);
    return visitor;
  };
  const forget = () => {
    keep("candor-visitor");
    visitor = user = undefined;
  };

  const tell = (type, more) => {
    if (allowed() === false) return;
    const context = {
      page: { path: location.pathname, title: document.title, referrer: document.referrer },
      campaign,
      locale: navigator.language,
      userAgent: navigator.userAgent,
      library: { name: "candor.js", version: "1.0.0" },
    };
    const event = { type, messageId: random(), anonymousId: anonymous(), userId: user, timestamp: new Date(), context };
    queue.push(JSON.stringify(Object.assign(event, more)));
    if (queue.length > 200) queue.shift();
    later();
    return event.messageId;
  };

  const later = () => {
    timer = timer || setTimeout(flush, pause);
  };
  const batch = `${host}/v1/batch`;
  // As much as a browser sends of a page that is being left.
  const take = () => {
    let n = 0;
    let size = 0;
    while (n < queue.length && (size += queue[n].length) < 2e4) n++;
    return queue.splice(0, n || 1);
  };
  const pack = (events) => `{"writeKey":"${key}","sentAt":"${new Date().toISOString()}","batch":[${events}]}`;
  const flush = async () => {
    timer = 0;
    if (busy || !queue.length || !allowed()) return;
    busy = true;
    const events = take();
    try {
      const { status } = await fetch(batch, { method: "POST", body: pack(events), keepalive: true, credentials: "omit" });
      if (status === 429 || status > 499) throw status;
      pause = 250;
    } catch (error) {
      if (allowed()) queue.unshift(...events);
      pause = Math.min(pause * 2, 6e4);
    }
    busy = false;
    if (queue.length) later();
  };
  const leave = () => {
    while (queue.length && allowed()) {
      const events = take();
      if (!navigator.sendBeacon(batch, pack(events))) {
        queue.unshift(...events);
        return;
      }
    }
  };

  const observer = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      const one = watched.get(target);
      clearTimeout(one.timer);
      const look = () => {
        if (document.hidden) return void (one.timer = setTimeout(look, 1000));
        observer.unobserve(target);
        api.track("Recommendation Viewed", one.facts);
      };
      if (intersectionRatio >= 0.5) one.timer = setTimeout(look, 1000);
    }
  }, { threshold: 0.5 });

  const card = ({ product, reason }) => {
    const link = document.createElement("a");
    link.className = "candor-item";
    if (/^(https?:\/)?\//.test(product.link)) link.href = product.link;
    if (product.imageUrl) link.append(Object.assign(new Image(), { src: product.imageUrl, alt: "" }));
    const price = product.price && Number(product.price).toLocaleString(document.documentElement.lang || [], { style: "currency", currency: product.currency });
    for (const [tag, text] of [["b", product.title], ["span", price], ["small", reason.text]]) {
      if (text) link.append(Object.assign(document.createElement(tag), { textContent: text }));
    }
    return link;
  };

  const api = {
    track: (event, properties) => tell("track", { event, properties }),
    page: (name, properties) => tell("page", { name, properties }),
    identify: (id, traits) => {
      user = id;
      return tell("identify", { traits });
    },
    alias: (userId, previousId = anonymous()) => tell("alias", { userId, previousId }),
    reset: forget,
    consent: (answer) => {
      if (answer === undefined) return allowed();
      keep("candor-consent", answer === null ? "" : answer ? "yes" : "no");
      if (answer) {
        anonymous();
        flush();
      } else {
        queue.length = 0;
        forget();
      }
    },
    recommend: async (query, { wait = 300, cache = "default" } = {}) => {
      if (!allowed()) return null;
      const stop = new AbortController();
      setTimeout(() => stop.abort(), wait);
      const asked = new URLSearchParams(Object.assign({ anonymousId: anonymous() }, query));
      const headers = { Authorization: `Bearer ${key}` };
      const answer = await fetch(`${host}/v1/recommendations?${asked}`, { headers, cache, credentials: "omit", signal: stop.signal });
      return answer.ok ? answer.json() : null;
    },
    watch: (node, { recommendationId }, { productId, position }) => {
      const facts = { recommendationId, product_id: productId, position };
      watched.set(node, { facts });
      observer.observe(node);
      node.addEventListener("click", () => api.track("Recommendation Clicked", facts));
    },
    strip: async (place, query, options = {}) => {
      const answer = await api.recommend(query, options);
      const into = typeof place === "string" ? document.querySelector(place) : place;
      if (!answer || !answer.items.length || !into) return null;
      const made = answer.items.map(options.render || card);
      into.textContent = "";
      into.append(...made.filter(Boolean));
      made.forEach((node, n) => node && api.watch(node, answer, answer.items[n]));
      return answer;
    },
    push: ([name, ...given]) => api[name](...given),
  };
  // Nothing that goes wrong here may reach the shop.
  for (const name of Object.keys(api)) {
    const call = api[name];
    api[name] = (...given) => {
      try {
        const answer = call(...given);
        return answer && answer.catch ? answer.catch(() => null) : answer;
      } catch (error) {}
    };
  }
  new URLSearchParams(location.search).forEach((value, name) => {
    if (/^utm_/.test(name)) campaign[name === "utm_campaign" ? "name" : name.slice(4)] = value;
  });
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => document.hidden && leave());
  window.candor = api;
  [].forEach.call(early, api.push);
  if (page !== "off") api.page(page);
})();
