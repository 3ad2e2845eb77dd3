/* The block editor: puts blocks in order, shows what is typed, picks pictures. Without this file
   each button sends the form, and the server answers with the page as it would be. */
"use strict";
addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("editor");
  if (!form) return;
  const words = document.getElementById("editor-words").dataset;
  const list = form.querySelector("[data-blocks]");
  const announce = (text, block, n) => {
    const told = text.replace("[block]", block.dataset.label).replace("[n]", n).replace("[all]", list.children.length);
    form.querySelector("[data-announce]").textContent = told;
  };
  const place = (block) => [...list.children].indexOf(block) + 1;

  /* The preview: a frame of its own for each, so that going back leaves the page. */
  const frames = document.querySelector("[data-frames]");
  let waiting = 0;
  const show = () => {
    const coming = frames.querySelector("iframe").cloneNode();
    coming.name = `live-${Date.now()}`;
    coming.classList.add("is-coming");
    frames.append(coming);
    const post = document.createElement("form");
    Object.assign(post, { method: "post", action: form.dataset.live, target: coming.name, hidden: true });
    for (const [name, value] of new FormData(form)) {
      const input = document.createElement("textarea");
      Object.assign(input, { name, value });
      post.append(input);
    }
    document.body.append(post);
    coming.addEventListener("load", () => {
      for (const old of [...frames.children]) if (old !== coming && !(old.classList.contains("is-coming") && old.name > coming.name)) old.remove();
      coming.classList.remove("is-coming");
    });
    post.submit();
    post.remove();
  };
  const showSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 500);
  };
  const changed = () => {
    form.dataset.dirty = "";
    showSoon();
  };
  form.addEventListener("input", changed);
  for (const id of ["live-customer", "live-dark", "live-part"]) document.getElementById(id).addEventListener("change", show);
  document.getElementById("live-screen").addEventListener("change", (event) => frames.classList.toggle("is-phone", event.target.value === "phone"));
  addEventListener("beforeunload", (event) => {
    if ("dirty" in form.dataset) event.preventDefault();
  });
  form.addEventListener("submit", () => {
    delete form.dataset.dirty;
  });
  for (const button of form.querySelectorAll("[data-live-button]")) button.hidden = true;
  show();

  /* The library of pictures. */
  const library = document.querySelector("[data-library]");
  let target = null;
  const choose = (picture) => {
    if (!target) return;
    target.value = picture.dataset.url;
    const alt = target.closest("[data-block]").querySelector("[name$='-alt']");
    if (alt && !alt.value) alt.value = picture.dataset.alt;
    library.close();
    target.focus();
    changed();
  };
  const prepare = (scope) => {
    for (const input of scope.querySelectorAll("[data-picture]")) {
      if (input.closest(".c-field").querySelector(".e-choose")) continue;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "c-button e-choose", textContent: words.choose });
      button.addEventListener("click", () => {
        target = input;
        library.showModal();
      });
      input.after(button);
    }
  };
  library.addEventListener("click", (event) => {
    const picture = event.target.closest("[data-url]");
    if (picture) choose(picture);
    else if ("shut" in event.target.dataset || event.target === library) library.close();
  });
  const upload = library.querySelector("[data-upload]");
  if (upload) upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    const refused = upload.querySelector("[data-refused]");
    refused.textContent = "";
    try {
      const answer = await fetch(upload.action, { method: "POST", body: new FormData(upload), headers: { Accept: "application/json" } });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.detail);
      const made = document.createElement("button");
      made.className = "e-picture";
      Object.assign(made.dataset, { url: told.url, alt: told.alt });
      const image = document.createElement("img");
      Object.assign(image, { src: told.path, alt: told.alt });
      const name = document.createElement("span");
      name.textContent = told.name;
      made.append(image, name);
      library.querySelector("[data-pictures]").prepend(made);
      library.querySelector("[data-none]").hidden = true;
      upload.reset();
      choose(made);
    } catch (error) {
      refused.textContent = error instanceof SyntaxError || error instanceof TypeError ? words.failed : error.message;
    }
  });
  if (!list) return;
  prepare(list);

  /* The order of the blocks is the order in which they stand here. */
  let made = 0;
  const acts = {
    up: (block) => block.previousElementSibling && block.previousElementSibling.before(block),
    down: (block) => block.nextElementSibling && block.nextElementSibling.after(block),
  };
  const move = (block, how, button) => {
    const before = place(block);
    acts[how](block);
    button.focus();
    announce(place(block) === before ? words.edge : words.moved, block, place(block));
    if (place(block) !== before) changed();
  };
  const renamed = (html, from) => {
    made += 1;
    return html.replaceAll(from, `n${made}x`);
  };
  const added = (block, after) => {
    if (after) after.after(block);
    else list.append(block);
    prepare(block);
    block.querySelector("details").open = true;
    const first = block.querySelector(".e-fields :is(input, textarea)") || block.querySelector("button");
    first.focus();
    announce(words.added, block, place(block));
    changed();
  };
  const parsed = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content.querySelector("[data-block]");
  };
  const copied = (block) => {
    const uid = block.querySelector("[name=block]").value;
    const twin = block.cloneNode(true);
    for (const node of [twin, ...twin.querySelectorAll("*")]) for (const { name, value } of [...node.attributes]) if (["name", "id", "for", "value", "aria-describedby"].includes(name) && value.includes(uid)) node.setAttribute(name, value.replace(new RegExp(`(^|_|:)${uid}(?=-|$)`), `$1n${made}c`));
    made += 1;
    const texts = block.querySelectorAll(".e-fields :is(input, textarea)");
    twin.querySelectorAll(".e-fields :is(input, textarea)").forEach((input, at) => { input.value = texts[at].value; });
    for (const button of twin.querySelectorAll(".e-choose")) button.remove();
    added(twin, block);
  };
  const removed = (block) => {
    const next = block.nextElementSibling || block.previousElementSibling;
    block.remove();
    announce(words.removed, block, 0);
    (next ? next.querySelector("summary") : document.getElementById("e-add")).focus();
    changed();
  };
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    event.preventDefault();
    const block = button.closest("[data-block]");
    const act = button.dataset.act;
    if (act === "add") added(parsed(renamed(document.querySelector(`[data-blank="${document.getElementById("e-add").value}"]`).innerHTML, "__uid__")), null);
    else if (act === "copy") copied(block);
    else if (act === "remove") removed(block);
    else move(block, act, button);
  });

  /* Dragging by the handle. */
  let held = null;
  list.addEventListener("dragstart", (event) => {
    if (!event.target.closest("[data-handle]")) return;
    held = event.target.closest("[data-block]");
    held.classList.add("is-held");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", held.dataset.label);
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest("[data-block]");
    if (!held || !over) return;
    event.preventDefault();
    if (over === held) return;
    const box = over.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) over.before(held);
    else over.after(held);
  });
  list.addEventListener("drop", (event) => event.preventDefault());
  list.addEventListener("dragend", () => {
    if (!held) return;
    held.classList.remove("is-held");
    announce(words.moved, held, place(held));
    held = null;
    changed();
  });
});
