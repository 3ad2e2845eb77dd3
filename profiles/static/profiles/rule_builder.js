/* The rule of a segment as rows of field, comparison and value; counts while it is edited. */
"use strict";
(() => {
  const text = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, attributes = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.append(...children);
    return node;
  };
  const choose = (options, chosen, label) => {
    const select = make("select", { ariaLabel: label });
    for (const [value, name] of options) select.append(make("option", { value, textContent: name, selected: value === String(chosen) }));
    return select;
  };

  class Builder {
    constructor(root) {
      this.root = root;
      this.source = document.getElementById(root.dataset.source);
      this.fields = new Map(text("rule-fields").map((field) => [field.name, field]));
      this.words = text("rule-words");
      this.tree = JSON.parse(this.source.value || "null") || { combinator: "and", not: false, rules: [] };
      this.status = make("p", { className: "c-notice", role: "status" });
      this.draw();
    }

    draw() {
      this.root.replaceChildren(this.group(this.tree, null), this.status);
      this.keep();
    }

    group(node, parent) {
      const words = this.words;
      const combinator = choose([["and", words.all], ["or", words.any]], node.combinator, words.combine);
      combinator.onchange = () => { node.combinator = combinator.value; this.keep(); };
      const negated = choose([["", words.is], ["not", words.isNot]], node.not ? "not" : "", words.negate);
      negated.onchange = () => { node.not = negated.value === "not"; this.keep(); };
      const add = make("button", { type: "button", className: "c-button", textContent: words.addCondition });
      add.onclick = () => { node.rules.push(this.fresh()); this.draw(); };
      const nest = make("button", { type: "button", className: "c-button", textContent: words.addGroup });
      nest.onclick = () => { node.rules.push({ combinator: "or", not: false, rules: [this.fresh()] }); this.draw(); };
      const head = make("div", { className: "c-row" }, negated, combinator, add, nest);
      if (parent) head.append(this.remove(parent, node));
      const box = make("div", { className: "c-rule-group" }, head);
      for (const part of node.rules) box.append(part.rules ? this.group(part, node) : this.condition(part, node));
      return box;
    }

    fresh() {
      const field = this.fields.values().next().value;
      return { field: field.name, operator: field.operators[0][0], value: "" };
    }

    remove(parent, node) {
      const button = make("button", { type: "button", className: "c-button c-push", textContent: "×", ariaLabel: this.words.remove });
      button.onclick = () => { parent.rules.splice(parent.rules.indexOf(node), 1); this.draw(); };
      return button;
    }

    condition(node, parent) {
      const field = this.fields.get(node.field) || this.fields.values().next().value;
      const groups = new Map();
      for (const one of this.fields.values()) groups.set(one.group, [...(groups.get(one.group) || []), one]);
      const names = make("select", { ariaLabel: this.words.field });
      for (const [label, members] of groups) {
        const group = make("optgroup", { label });
        for (const one of members) group.append(make("option", { value: one.name, textContent: one.label, selected: one.name === field.name }));
        names.append(group);
      }
      names.onchange = () => {
        const next = this.fields.get(names.value);
        Object.assign(node, { field: next.name, operator: next.operators[0][0], value: "" });
        for (const key of Object.keys(node)) if (!["field", "operator", "value"].includes(key)) delete node[key];
        this.draw();
      };
      const operators = choose(field.operators, node.operator, this.words.operator);
      operators.onchange = () => { node.operator = operators.value; this.draw(); };
      const row = make("div", { className: "c-row c-rule" }, names, operators);
      if (!["null", "notNull"].includes(node.operator)) row.append(...this.value(field, node));
      if (field.takes_window) row.append(...this.window(node));
      for (const [key, label] of field.keys) row.append(...this.key(key, label, node));
      row.append(this.remove(parent, node));
      return row;
    }

    value(field, node) {
      const many = ["in", "notIn", "between", "notBetween"].includes(node.operator);
      if (field.choices.length && !many) {
        const select = choose([["", "…"], ...field.choices], node.value, this.words.value);
        select.onchange = () => { node.value = select.value; this.keep(); };
        return [select];
      }
      const factor = field.unit === "money" ? 10 ** Number(this.root.dataset.exponent) : field.unit === "share" ? 0.01 : 1;
      const numeric = !["text", "choice", "product", "category", "consent", "persona", "brand", "event", "sealed", "segment", "list"].includes(field.kind);
      const shown = (value) => (numeric && value !== "" ? String(Math.round((Number(value) / factor) * 1e6) / 1e6) : String(value));
      const stored = (value) => (numeric && value.trim() !== "" && !Number.isNaN(Number(value)) ? Number((Number(value) * factor).toFixed(6)) : value.trim());
      const input = make("input", {
        type: "text", inputMode: numeric ? "decimal" : "text", ariaLabel: this.words.value,
        value: [].concat(node.value ?? "").map(shown).join(", "), placeholder: many ? this.words.several : "",
      });
      if (field.known.length) {
        const list = make("datalist", { id: `known-${field.name}-${Math.random().toString(36).slice(2)}` });
        for (const value of field.known) list.append(make("option", { value }));
        input.setAttribute("list", list.id);
        input.oninput = () => { node.value = many ? input.value.split(",").map(stored) : stored(input.value); this.keep(); };
        return [input, list];
      }
      input.oninput = () => { node.value = many ? input.value.split(",").map(stored) : stored(input.value); this.keep(); };
      return [input, make("span", { className: "c-quiet", textContent: field.unit ? this.words.units[field.unit] : "" })];
    }

    key(key, label, node) {
      if (key === "trait" && this.words.traits.length) {
        const names = choose([["", "…"], ...this.words.traits], node.trait ?? "", label);
        names.onchange = () => { if (names.value) node.trait = names.value; else delete node.trait; this.keep(); };
        return [names];
      }
      const input = make("input", { type: "text", size: key === "within_hours" ? 5 : 14, ariaLabel: label, value: node[key] ?? "" });
      input.oninput = () => {
        if (input.value.trim()) node[key] = input.value.trim(); else delete node[key];
        this.keep();
      };
      return [make("span", { className: "c-quiet", textContent: label }), input];
    }

    window(node) {
      const input = make("input", { type: "text", inputMode: "numeric", size: 5, ariaLabel: this.words.within, value: node.within_days ?? "" });
      input.oninput = () => {
        if (input.value.trim()) node.within_days = Number(input.value); else delete node.within_days;
        this.keep();
      };
      return [make("span", { className: "c-quiet", textContent: this.words.within }), input, make("span", { className: "c-quiet", textContent: this.words.units.days })];
    }

    keep() {
      this.source.value = JSON.stringify(this.tree);
      clearTimeout(this.timer);
      this.running?.abort();
      this.timer = setTimeout(() => this.count(), 300);
    }

    async count() {
      this.running = new AbortController();
      const body = new FormData();
      body.append("rule", this.source.value);
      body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
      try {
        const answer = await fetch(this.root.dataset.preview, { method: "POST", body, signal: this.running.signal });
        const found = await answer.json();
        this.status.className = `c-notice ${found.ok ? "is-good" : "is-warn"}`;
        this.status.textContent = found.text;
      } catch (error) {
        if (error.name !== "AbortError") throw error;
      }
    }
  }

  addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll("[data-rule-builder]")) new Builder(root);
  });
})();
