/* What builders of rules share: a rule tree put together with react-querybuilder, in the page's words. */
"use strict";
const ruleParts = ({ cards, words, known, exponent }) => {
  const { createElement: h, QueryBuilder, useRef, useState } = ReactQueryBuilder;
  const fieldByName = new Map(cards.map((card) => [card.name, card]));
  const MANY = ["in", "notIn"];
  const RANGE = ["between", "notBetween"];
  const WITHOUT_VALUE = ["null", "notNull"];
  const WINDOWS = {
    any: [],
    last: ["within_days"],
    ago: ["before_days"],
    between: ["within_days", "before_days"],
    dates: ["from_date", "to_date"],
  };
  const NUMERIC = ["count", "days", "hour", "money", "decimal", "share"];

  const fields = [...new Set(cards.map((card) => card.group))].map((label) => ({
    label,
    options: cards
      .filter((card) => card.group === label)
      .map((card) => ({
        name: card.name,
        label: card.label,
        operators: card.operators.map(([name, text]) => ({ name, label: text })),
      })),
  }));

  const WINDOW_KEYS = [...WINDOWS.between, ...WINDOWS.dates];
  const windowOf = (rule) => {
    const named = WINDOW_KEYS.filter((key) => rule[key]);
    return Object.keys(WINDOWS).find((name) => named.every((key) => WINDOWS[name].includes(key)));
  };

  /* The rule as it is kept: without the editor's own keys and those its field does not take. */
  const kept = (part) => {
    if (part.rules) return { combinator: part.combinator, not: Boolean(part.not), rules: part.rules.map(kept) };
    const card = fieldByName.get(part.field);
    const rule = { field: part.field, operator: part.operator };
    if (!WITHOUT_VALUE.includes(part.operator)) rule.value = part.value;
    for (const [key] of card ? card.keys : []) if (part[key] !== undefined && part[key] !== "") rule[key] = part[key];
    if (card?.takes_window) for (const key of WINDOW_KEYS) if (part[key]) rule[key] = part[key];
    return rule;
  };

  /* The tree with other keys of the rule at a path. */
  const changed = (part, path, keys) => {
    if (!path.length) return { ...part, ...keys };
    const [first, ...rest] = path;
    return { ...part, rules: part.rules.map((inner, n) => (n === first ? changed(inner, rest, keys) : inner)) };
  };

  const factorOf = (card) => {
    if (card.unit === "money") return 10 ** exponent;
    return card.unit === "share" ? 0.01 : 1;
  };
  const shown = (card, value) => {
    if (value === "" || value === undefined || value === null) return "";
    return NUMERIC.includes(card.kind) ? String(Number((Number(value) / factorOf(card)).toFixed(6))) : String(value);
  };
  const read = (card, text) => {
    const plain = text.trim();
    if (!NUMERIC.includes(card.kind) || plain === "" || Number.isNaN(Number(plain))) return plain;
    return Number((Number(plain) * factorOf(card)).toFixed(6));
  };

  const listed = (value) => [value ?? []].flat().filter((one) => one !== "");

  /* What is typed stays as it is typed, whatever number it is read as. */
  const Typed = ({ start, label, list, numeric, size, hint, onText }) => {
    const [text, setText] = useState(start);
    return h("input", {
      type: "text",
      inputMode: numeric ? "decimal" : "text",
      "aria-label": label,
      value: text,
      size,
      placeholder: hint,
      list: list ? `known-${list}` : undefined,
      onChange: (event) => {
        setText(event.target.value);
        onText(event.target.value);
      },
    });
  };

  /* A sign is shown, the title is read out. */
  const translations = Object.fromEntries(
    Object.entries(words.builder).map(([name, told]) => [
      name,
      told.sign ? { title: told.title, label: h("span", { "aria-hidden": true }, told.sign) } : told,
    ]),
  );

  const Quiet = ({ text }) => (text ? h("span", { className: "c-quiet" }, text) : null);

  const Choices = ({ card, value, onValue }) => {
    const chosen = listed(value).map(String);
    const toggle = (one) => onValue(chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one]);
    return h(
      "fieldset",
      { className: "c-choices", "aria-label": words.value },
      card.choices.map(([one, name]) =>
        h("label", { key: one }, h("input", { type: "checkbox", checked: chosen.includes(one), onChange: () => toggle(one) }), name),
      ),
    );
  };

  /* When it happened: the inputs of one kind of window, of which the other kinds' keys go. */
  const When = ({ rule, onKeys }) => {
    const [kind, setKind] = useState(windowOf(rule) ?? "dates");
    const choose = (name) => {
      setKind(name);
      onKeys(Object.fromEntries(WINDOW_KEYS.filter((key) => !WINDOWS[name].includes(key)).map((key) => [key, undefined])));
    };
    const input = (key) =>
      key.endsWith("_date")
        ? h("input", {
            key,
            type: "date",
            "aria-label": words.window[key],
            value: rule[key] ?? "",
            onChange: (event) => onKeys({ [key]: event.target.value || undefined }),
          })
        : h(Typed, {
            key: `${kind}-${key}`,
            start: rule[key] === undefined ? "" : String(rule[key]),
            label: words.window[key],
            numeric: true,
            size: 5,
            onText: (text) => onKeys({ [key]: text.trim() || undefined }),
          });
    return h(
      "span",
      { className: "c-key" },
      h(
        "select",
        { "aria-label": words.window.when, value: kind, onChange: (event) => choose(event.target.value) },
        Object.keys(WINDOWS).map((name) => h("option", { key: name, value: name }, words.window[name])),
      ),
      WINDOWS[kind].map(input),
    );
  };

  const Value = ({ card, rule, onValue }) => {
    const { operator, value } = rule;
    const numeric = NUMERIC.includes(card.kind);
    const list = known[card.name]?.length ? card.name : undefined;
    if (WITHOUT_VALUE.includes(operator)) return null;
    if (card.choices.length && MANY.includes(operator)) return h(Choices, { card, value, onValue });
    if (card.choices.length && !RANGE.includes(operator)) {
      const options = [["", "…"], ...card.choices];
      return h(
        "select",
        { "aria-label": words.value, value: String(value ?? ""), onChange: (event) => onValue(event.target.value) },
        options.map(([one, name]) => h("option", { key: one, value: one }, name)),
      );
    }
    const unit = h(Quiet, { text: words.units[card.unit] });
    if (RANGE.includes(operator)) {
      const ends = Array.isArray(value) ? value : [value ?? "", ""];
      const end = (n, label) =>
        h(Typed, {
          key: n,
          start: shown(card, ends[n]),
          label,
          numeric: true,
          size: 8,
          onText: (text) => onValue(n ? [ends[0], read(card, text)] : [read(card, text), ends[1]]),
        });
      return [end(0, words.low), h(Quiet, { key: "and", text: words.and }), end(1, words.high), h(Quiet, { key: "unit", text: words.units[card.unit] })];
    }
    if (MANY.includes(operator)) {
      return h(Typed, {
        start: listed(value).map((one) => shown(card, one)).join(", "),
        label: words.value,
        hint: words.several,
        list,
        size: 28,
        onText: (text) => onValue(text.split(",").map((one) => read(card, one)).filter((one) => one !== "")),
      });
    }
    const typed = h(Typed, {
      start: shown(card, value),
      label: words.value,
      numeric,
      list,
      size: numeric ? 10 : 22,
      onText: (text) => onValue(read(card, text)),
    });
    return [h("span", { key: "typed", className: "c-typed" }, typed), h("span", { key: "unit" }, unit)];
  };

  const ValueEditor = ({ rule, path, handleOnChange, context }) => {
    const card = fieldByName.get(rule.field);
    if (!card) return null;
    const kind = `${rule.id}-${rule.field}-${MANY.includes(rule.operator)}-${RANGE.includes(rule.operator)}`;
    const ownTrait = (label) =>
      h(
        "select",
        {
          key: "trait",
          "aria-label": label,
          value: rule.trait ?? "",
          onChange: (event) => context.set(path, { trait: event.target.value || undefined }),
        },
        [["", "…"], ...words.traits].map(([one, name]) => h("option", { key: one, value: one }, name)),
      );
    const further = (key, label, size, numeric) =>
      h(
        "label",
        { key: `${rule.id}-${rule.field}-${key}`, className: "c-key" },
        h(Quiet, { text: label }),
        h(Typed, {
          start: rule[key] === undefined ? "" : String(rule[key]),
          label,
          size,
          numeric,
          list: known[key]?.length ? key : undefined,
          onText: (text) => context.set(path, { [key]: text.trim() || undefined }),
        }),
      );
    return [
      ...card.keys.filter(([key]) => key === "trait").map(([, label]) => ownTrait(label)),
      ...card.keys.filter(([key]) => key === "spec").map(([key, label]) => further(key, label, 14, false)),
      h("span", { key: kind, className: "c-value-of" }, h(Value, { card, rule, onValue: handleOnChange })),
      ...card.keys.filter(([key]) => !["trait", "spec"].includes(key)).map(([key, label]) => further(key, label, key === "within_hours" ? 5 : 14, key === "within_hours")),
      card.takes_window ? h(When, { key: `${rule.id}-${rule.field}-when`, rule, onKeys: (keys) => context.set(path, keys) }) : null,
    ];
  };

  /* The builder of one tree; `onQuery` gets the tree with each change. */
  const Tree = ({ query, onQuery }) => {
    const latest = useRef(query);
    latest.current = query;
    const set = (path, keys) => onQuery(changed(latest.current, path, keys));
    return h(QueryBuilder, {
      fields,
      query,
      onQueryChange: onQuery,
      context: { set },
      combinators: [
        { name: "and", label: words.all },
        { name: "or", label: words.any },
      ],
      controlElements: { valueEditor: ValueEditor },
      controlClassnames: { actionElement: "c-button", rule: "c-row" },
      translations,
      accessibleDescriptionGenerator: ({ path }) => (path.length ? `${words.group} ${path.map((n) => n + 1).join(".")}` : words.rule),
      showNotToggle: true,
      showShiftActions: true,
      addRuleToNewGroups: true,
      resetOnFieldChange: true,
      resetOnOperatorChange: false,
      autoSelectValue: false,
      maxLevels: 7,
    });
  };

  /* Values to offer while texts are typed. */
  const offerAfter = (root) => {
    for (const [name, values] of Object.entries(known)) {
      const list = document.createElement("datalist");
      list.id = `known-${name}`;
      for (const value of values) list.append(Object.assign(document.createElement("option"), { value }));
      root.after(list);
    }
  };

  return { Tree, Typed, kept, offerAfter };
};
