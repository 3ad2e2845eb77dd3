/* The rule of a segment, put together with react-querybuilder and counted while it is edited.

   The page gives fields, words and the address that counts; the textarea keeps the rule's JSON. */
"use strict";
(() => {
  const { createElement: h, createRoot, useEffect, useState } = ReactQueryBuilder;
  const root = document.querySelector("[data-rule-builder]");
  const source = document.getElementById(root.dataset.source);
  const given = (id) => JSON.parse(document.getElementById(id).textContent);
  const words = given("rule-words");
  const { Tree, kept, offerAfter } = ruleParts({
    cards: given("rule-fields"),
    known: given("rule-known"),
    exponent: Number(root.dataset.exponent),
    words,
  });
  const WAIT = 300;

  const Samples = ({ samples }) =>
    samples.length
      ? h(
          "div",
          { className: "c-scroll" },
          h(
            "table",
            { className: "c-table" },
            h("caption", null, words.samples),
            h("thead", null, h("tr", null, words.columns.map((name) => h("th", { key: name, scope: "col" }, name)))),
            h(
              "tbody",
              null,
              samples.map((one) =>
                h("tr", { key: one[0] }, one.map((text, n) => (n ? h("td", { key: n }, text || "–") : h("th", { key: n, scope: "row" }, text)))),
              ),
            ),
          ),
        )
      : null;

  const Found = ({ found, counting }) =>
    h(
      "div",
      { className: "c-stack", "aria-busy": counting },
      h(
        "div",
        { className: `c-notice ${found.ok ? "is-good" : "is-warn"}`, role: "status" },
        h("strong", null, counting ? words.counting : found.text),
        found.ok && !counting ? h("span", { className: "c-row" }, found.channels.map((text) => h("span", { key: text, className: "c-chip" }, text))) : null,
      ),
      found.words ? h("p", { className: "c-quiet" }, found.words) : null,
      h(Samples, { samples: found.samples || [] }),
    );

  const builder = crypto.randomUUID();
  const count = async (rule, signal) => {
    const body = new FormData();
    body.append("rule", rule);
    body.append("builder", builder);
    body.append("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    const answer = await fetch(root.dataset.preview, { method: "POST", body, signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const Builder = ({ start }) => {
    const [query, setQuery] = useState(start);
    const [found, setFound] = useState({ ok: true, text: "", channels: [] });
    const [counting, setCounting] = useState(true);
    const rule = JSON.stringify(kept(query));

    useEffect(() => {
      source.value = rule;
      setCounting(true);
      const running = new AbortController();
      const timer = setTimeout(async () => {
        try {
          const answer = await count(rule, running.signal);
          setFound(answer);
          setCounting(false);
        } catch (error) {
          if (error.name === "AbortError") return;
          setFound({ ok: false, text: words.failed });
          setCounting(false);
        }
      }, WAIT);
      return () => {
        clearTimeout(timer);
        running.abort();
      };
    }, [rule]);

    return h(
      "div",
      { className: "c-stack" },
      h(Tree, { query, onQuery: setQuery }),
      h(Found, { found, counting }),
    );
  };

  offerAfter(root);
  let start = null;
  try {
    start = JSON.parse(source.value);
  } catch {
    start = null; // what cannot be read was shown with its error; it is put together anew
  }
  createRoot(root).render(h(Builder, { start: start?.rules ? start : { combinator: "and", not: false, rules: [] } }));
})();
