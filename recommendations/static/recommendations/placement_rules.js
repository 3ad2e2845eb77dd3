/* Filters and boosts of a placement: one builder a rule, read back in words while it is edited.

   The page gives fields, words and the address that checks; the textarea keeps the rules' JSON. */
"use strict";
(() => {
  const { createElement: h, createRoot, useEffect, useRef, useState } = ReactQueryBuilder;
  const root = document.querySelector("[data-placement-rules]");
  const source = document.getElementById(root.dataset.source);
  const given = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = given("rule-words");
  const { Tree, Typed, kept, offerAfter } = ruleParts({
    cards: given("rule-fields"),
    known: given("rule-known"),
    exponent: Number(root.dataset.exponent),
    words,
  });
  const WAIT = 300;
  const EMPTY = () => ({ combinator: "and", not: false, rules: [{ field: "brand", operator: "=", value: "" }] });
  let made = 0;
  const numbered = (rule) => ({ factor: 2, ...rule, key: (made += 1) });

  const told = ({ effect, factor, when }) => (effect === "boost" ? { effect, factor, when: kept(when) } : { effect, when: kept(when) });

  const check = async (rules, signal) => {
    const body = new FormData();
    body.append("rules", rules);
    body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    const answer = await fetch(root.dataset.check, { method: "POST", body, signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const Button = ({ label, sign, onClick, disabled }) =>
    h("button", { type: "button", className: "c-button", title: label, "aria-label": label, disabled, onClick }, h("span", { "aria-hidden": true }, sign));

  const Head = ({ rule, n, last, set, move, remove }) => {
    const builder = words.builder;
    return h(
      "div",
      { className: "c-row" },
      h("strong", null, `${n + 1}.`),
      h(
        "select",
        { "aria-label": words.effect, value: rule.effect, onChange: (event) => set({ effect: event.target.value }) },
        words.effects.map(([one, name]) => h("option", { key: one, value: one }, name)),
      ),
      rule.effect === "boost"
        ? h(
            "label",
            { className: "c-key" },
            h("span", { "aria-hidden": true }, "×"),
            h(Typed, {
              start: String(rule.factor),
              label: words.factor,
              numeric: true,
              size: 5,
              onText: (text) => set({ factor: text.trim() === "" || Number.isNaN(Number(text)) ? text.trim() : Number(text) }),
            }),
            h("span", { className: "c-quiet" }, words.bounds),
          )
        : null,
      h(
        "span",
        { className: "c-row c-end" },
        h(Button, { label: builder.shiftActionUp.title, sign: "↑", disabled: n === 0, onClick: () => move(-1) }),
        h(Button, { label: builder.shiftActionDown.title, sign: "↓", disabled: last, onClick: () => move(1) }),
        h(Button, { label: words.remove, sign: "×", onClick: remove }),
      ),
    );
  };

  const Said = ({ found, n, checking }) => {
    const one = found.rules?.[n];
    if (found.ok && one) return h("p", { className: "c-notice" }, h("span", null, one.text), checking ? null : h("b", null, ` ${one.count}`));
    return !found.ok && found.at === n ? h("p", { className: "c-notice is-warn" }, found.text) : null;
  };

  const Rules = ({ start }) => {
    const [rules, setRules] = useState(start);
    const [found, setFound] = useState({ ok: true, rules: [] });
    const [checking, setChecking] = useState(false);
    const latest = useRef(rules);
    latest.current = rules;
    const text = JSON.stringify(rules.map(told));

    useEffect(() => {
      source.value = text;
      setChecking(true);
      const running = new AbortController();
      const timer = setTimeout(async () => {
        try {
          setFound(await check(text, running.signal));
        } catch (error) {
          if (error.name === "AbortError") return;
          setFound({ ok: false, text: words.failed, at: null });
        }
        setChecking(false);
      }, WAIT);
      return () => {
        clearTimeout(timer);
        running.abort();
      };
    }, [text]);

    const set = (key, change) => setRules(latest.current.map((rule) => (rule.key === key ? { ...rule, ...change } : rule)));
    const move = (n, by) => {
      const moved = [...latest.current];
      [moved[n], moved[n + by]] = [moved[n + by], moved[n]];
      setRules(moved);
    };
    const add = (effect) => setRules([...latest.current, numbered({ effect, when: EMPTY() })]);

    return h(
      "div",
      { className: "c-stack", "aria-busy": checking },
      rules.length ? null : h("p", { className: "c-quiet" }, words.none),
      rules.map((rule, n) =>
        h(
          "fieldset",
          { key: rule.key, className: "c-rule", "aria-label": `${words.nth} ${n + 1}` },
          h(Head, {
            rule,
            n,
            last: n === rules.length - 1,
            set: (change) => set(rule.key, change),
            move: (by) => move(n, by),
            remove: () => setRules(latest.current.filter((other) => other.key !== rule.key)),
          }),
          h(Tree, { query: rule.when, onQuery: (when) => set(rule.key, { when }) }),
          h(Said, { found, n, checking }),
        ),
      ),
      h(
        "div",
        { className: "c-row" },
        h("button", { type: "button", className: "c-button", onClick: () => add("drop") }, words.addFilter),
        h("button", { type: "button", className: "c-button", onClick: () => add("boost") }, words.addBoost),
      ),
      h("div", { role: "status" }, !found.ok && found.at === null ? h("p", { className: "c-notice is-warn" }, found.text) : null),
    );
  };

  offerAfter(root);
  let start = [];
  try {
    start = JSON.parse(source.value) ?? [];
  } catch {
    start = []; // what cannot be read was shown with its error; it is put together anew
  }
  const usable = Array.isArray(start) ? start.filter((rule) => rule?.when?.rules) : [];
  createRoot(root).render(h(Rules, { start: usable.map(numbered) }));
})();
