/* The demo's storefront: shows products, and tells Candor what the visitor does, once allowed. */
"use strict";

const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("storefront-facts").textContent);
const paths = $("storefront").dataset;
const { words } = facts;
const products = new Map(facts.products.map((product) => [product.id, product]));
const PAGE = 24;
const POLL_MS = 400;
const PATIENCE_MS = 10_000;

/* Small pieces ------------------------------------------------------------------------- */

const make = (tag, className = "", text = "") => {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
};
const kinds = [...new Set(facts.products.map((product) => product.picture))];
const hue = (product) => (kinds.indexOf(product.picture) * 137.5) % 360; // the golden angle keeps neighbours apart
const money = (amount) => new Intl.NumberFormat(facts.locale, { style: "currency", currency: facts.currency }).format(amount);

function draw(product, into = make("div", "s-picture")) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS(svg.namespaceURI, "use");
  use.setAttribute("href", `${paths.pictures}#${product.picture}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  into.style.setProperty("--hue", hue(product));
  into.replaceChildren(svg);
  return into;
}

function card(product, why, choose) {
  const button = make("button", "s-card");
  button.dataset.product = product.id;
  button.append(draw(product), make("b", "", product.title), make("span", "s-price", product.price));
  if (why) button.append(make("span", "s-why", why));
  button.addEventListener("click", choose);
  const item = make("li");
  item.append(button);
  return item;
}

/* Consent: before it, nothing is stored and nothing is sent ------------------------------ */

const may = () => candor.consent() === true;

function decide(answer) {
  candor.consent(answer);
  localStorage.removeItem("candor-cart");
  showConsent();
  if (!may()) {
    told.length = 0;
    known = [];
    cart.clear();
    showCart();
    showStrip();
    showLog();
  } else {
    keepCart();
    tell("page", "Storefront");
  }
}

function showConsent() {
  $("consent").hidden = candor.consent() !== undefined;
  $("forget").hidden = !may();
}

/* Events and what became of them --------------------------------------------------------- */

const told = []; // what this page sent, newest first
let known = []; // what the server last said of them
let polling = false;

function tell(type, name, properties = {}) {
  if (!may()) return;
  const id = candor[type](name, properties);
  told.unshift({ message_id: id, name, product_id: properties.product_id ?? "", verdict: "sending", codes: [], received_at: new Date().toISOString() });
  showLog();
  poll();
}

const settled = (line) => known.some((one) => one.message_id === line.message_id && one.verdict !== "waiting");

async function poll() {
  if (polling) return;
  polling = true;
  const until = Date.now() + PATIENCE_MS;
  while (may() && !told.every(settled) && Date.now() < until) {
    const before = told.filter(settled).length;
    known = (await (await fetch(paths.log)).json()).events;
    showLog();
    if (told.filter(settled).length > before) await recommend();
    if (!told.every(settled)) await new Promise((done) => setTimeout(done, POLL_MS));
  }
  polling = false;
  for (const line of told) if (!settled(line)) line.codes = [words.slow];
  showLog();
}

function showLog() {
  const seen = new Set(known.map((line) => line.message_id));
  const lines = [...told.filter((line) => !seen.has(line.message_id)), ...known];
  const tones = { accepted: " is-good", warned: " is-warn", rejected: " is-bad" };
  const rows = lines.map((line) => {
    const row = make("li");
    row.dataset.verdict = line.verdict;
    row.append(make("span", "c-strong", line.name || line.kind || "–"), make("span", `c-chip${tones[line.verdict] ?? ""}`, words[line.verdict] ?? line.verdict));
    const details = [new Date(line.received_at).toLocaleTimeString(facts.locale), products.get(line.product_id)?.title ?? line.product_id, ...line.codes];
    row.append(make("small", "", details.filter(Boolean).join(" · ")));
    return row;
  });
  $("events").replaceChildren(...(rows.length ? rows : [make("li", "c-quiet", may() ? words.noEvents : words.silent)]));
}

/* The strip ------------------------------------------------------------------------------ */

async function recommend() {
  const asked = { placement: "storefront", n: facts.nStrip, language: facts.language };
  const answer = await candor.recommend(asked, { wait: PATIENCE_MS, cache: "reload" });
  if (answer) showStrip(answer);
}

function showStrip(answer) {
  const items = answer ? answer.items.map((item) => ({ ...item, id: item.productId, why: item.reason.text, personal: !item.reason.code.startsWith("popular") })) : facts.popular;
  const personal = items.some((item) => item.personal);
  $("strip-title").textContent = personal ? words.forYou : words.popular;
  $("strip-hint").textContent = personal ? words.forYouHint : answer ? words.newHint : words.popularHint;
  const cards = items
    .filter((item) => products.has(item.id))
    .map((item) => {
      const node = card(products.get(item.id), item.why, () => view(products.get(item.id)));
      if (answer) candor.watch(node, answer, item);
      return node;
    });
  $("strip").replaceChildren(...cards);
}

/* Shelf, product, cart --------------------------------------------------------------------- */

let kind = "";
let shown = PAGE;

function showGrid() {
  const chosen = facts.products.filter((product) => !kind || product.picture === kind);
  $("grid").replaceChildren(...chosen.slice(0, shown).map((product) => card(product, "", () => view(product))));
  $("more").hidden = chosen.length <= shown;
}

const details = (product) => ({ product_id: product.id, name: product.title, category: product.category, brand: product.brand, price: Number(product.amount), currency: facts.currency });

function view(product) {
  const dialog = $("product");
  draw(product, dialog.querySelector(".s-picture"));
  $("product-brand").textContent = `${product.brand} · ${product.category}`;
  $("product-title").textContent = product.title;
  $("product-text").textContent = product.description;
  $("product-price").textContent = product.price;
  $("add").onclick = () => {
    cart.set(product.id, (cart.get(product.id) ?? 0) + 1);
    keepCart();
    showCart();
    dialog.close();
    tell("track", "Product Added", { ...details(product), quantity: 1 });
  };
  dialog.showModal();
  tell("track", "Product Viewed", details(product));
}

const cart = new Map(JSON.parse(localStorage.getItem("candor-cart") ?? "[]"));
const total = () => [...cart].reduce((sum, [id, n]) => sum + n * Number(products.get(id)?.amount ?? 0), 0);

function keepCart() {
  if (may()) localStorage.setItem("candor-cart", JSON.stringify([...cart]));
}

function showCart() {
  $("cart-count").textContent = [...cart.values()].reduce((sum, n) => sum + n, 0);
  const rows = [...cart].filter(([id]) => products.has(id)).map(([id, n]) => {
    const product = products.get(id);
    const remove = make("button", "c-button s-small", words.remove);
    remove.addEventListener("click", () => {
      cart.delete(id);
      keepCart();
      showCart();
      tell("track", "Product Removed", { ...details(product), quantity: n });
    });
    const row = make("li");
    row.append(make("span", "", `${n} × ${product.title}`), make("span", "s-price", money(n * Number(product.amount))), remove);
    return row;
  });
  $("cart-lines").replaceChildren(...(rows.length ? rows : [make("li", "c-quiet", words.empty)]));
  $("cart-total").textContent = cart.size ? money(total()) : "";
  $("buy").disabled = !cart.size;
}

function buy() {
  const lines = [...cart].map(([id, quantity]) => ({ ...details(products.get(id)), quantity }));
  tell("track", "Order Completed", { order_id: `web-${Date.now()}`, currency: facts.currency, total: total(), products: lines });
  cart.clear();
  keepCart();
  showCart();
  $("cart-note").textContent = words.thanks;
}

/* Start -------------------------------------------------------------------------------------- */

$("agree").addEventListener("click", () => decide(true));
$("refuse").addEventListener("click", () => decide(false));
$("forget").addEventListener("click", () => decide(null));
$("open-cart").addEventListener("click", () => {
  $("cart-note").textContent = "";
  $("cart").showModal();
});
$("buy").addEventListener("click", buy);
$("more").addEventListener("click", () => {
  shown += PAGE;
  showGrid();
});
$("kinds").addEventListener("click", (event) => {
  const chip = event.target.closest("[data-kind]");
  if (!chip) return;
  kind = chip.dataset.kind;
  shown = PAGE;
  for (const one of $("kinds").children) one.setAttribute("aria-pressed", String(one === chip));
  showGrid();
});
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());

showConsent();
showStrip();
showGrid();
showCart();
showLog();
tell("page", "Storefront");
recommend();
