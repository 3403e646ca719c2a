// What all parts of a page share: its data, the trial that is selected, and small tools.
// The guide is shell/README.md.
"use strict";

const page = (() => {
  const block = document.getElementById("data");
  const data = block ? JSON.parse(block.textContent) : {};

  // -- Values as text ---------------------------------------------------------------------------

  /** A value as text: numbers with `digits` significant digits, an en dash if missing. */
  function shown(value, digits = 4) {
    if (value === null || value === undefined || value === "") return "–";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value)) return value.toLocaleString("en-US");
    const size = Math.abs(value);
    if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 2).replace("e-", "e−");
    return value.toLocaleString("en-US", { maximumSignificantDigits: digits }).replace("-", "−");
  }

  /** The rows of a table that is stored by columns: [{name: value, …}, …]. */
  function rows(columns) {
    const names = Object.keys(columns);
    const count = names.length ? columns[names[0]].length : 0;
    return Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((name) => [name, columns[name][i]])));
  }

  /** The columns as text of a csv file. */
  function csv(columns) {
    const cell = (value) => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = rows(columns).map((row) => Object.values(row).map(cell).join(","));
    return [Object.keys(columns).map(cell).join(","), ...lines, ""].join("\r\n");
  }

  // -- Elements, the clipboard, files -----------------------------------------------------------

  /** A new element; `text` is never read as HTML. */
  function element(tag, attributes = {}, ...content) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...content.filter((item) => item !== null && item !== undefined));
    return made;
  }

  /** Offers text as a file. */
  function download(name, text, type = "text/csv") {
    const address = URL.createObjectURL(new Blob([text], { type }));
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  /** Copies text, and says so on the button. */
  async function copy(text, button) {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = element("textarea", { style: "position:fixed;opacity:0" });
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
    }
    if (button) {
      button.dataset.label ??= button.textContent;
      button.textContent = done ? "copied" : "select and copy it";
      clearTimeout(button.timer);
      button.timer = setTimeout(() => (button.textContent = button.dataset.label), 1600);
    }
    announce(done ? "copied" : "not copied");
  }

  const live = element("div", { role: "status", "aria-live": "polite", style: "position:absolute;left:-99rem" });
  document.body.append(live);
  /** Tells a screen reader. */
  function announce(text) {
    live.textContent = text;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(document.getElementById(button.dataset.copy).textContent, button);
  });

  // -- The trials, and which of them are selected and shown ---------------------------------------

  /** The trials of the page, with `trial`, `state`, `score`, …, and `settings` by name. */
  const trials = data.trials ? rows(data.trials) : [];
  const settings = data.settings ? rows(data.settings) : [];
  const seeds = data.seeds ? rows(data.seeds) : [];
  trials.forEach((trial, place) => Object.assign(trial, { settings: settings[place] ?? {}, seeds: seeds[place] ?? {} }));
  const byNumber = new Map(trials.map((trial) => [trial.trial, trial]));
  const filters = new Map();
  const listeners = [];
  const state = {
    /** The number of the selected trial, or null. */
    selected: null,
    /** The numbers of the trials that pass all filters, or null without a filter. */
    shown: null,
  };

  /** Calls `listener(state)` after every change of selection or filters. */
  function on(listener) {
    listeners.push(listener);
  }

  function changed() {
    mark(document);
    for (const listener of listeners) listener(state);
  }

  /** Selects a trial by its number everywhere; the selected one again, or null: no trial. */
  function select(number) {
    state.selected = number === state.selected || !byNumber.has(number) ? null : number;
    changed();
    announce(state.selected === null ? "no trial selected" : describe(state.selected));
  }

  /** Shows only trials in `numbers`, a Set, everywhere; null takes this filter away.
      `name` tells the filters of different parts of the page from each other. */
  function filter(name, numbers) {
    if (numbers === null) filters.delete(name);
    else filters.set(name, numbers);
    const sets = [...filters.values()];
    state.shown = sets.length ? new Set(trials.map((t) => t.trial).filter((n) => sets.every((set) => set.has(n)))) : null;
    changed();
  }

  /** Gives every element with data-trial below `root` the classes `selected` and `out`. */
  function mark(root) {
    document.body.classList.toggle("selecting", state.selected !== null);
    for (const item of root.querySelectorAll("[data-trial]")) {
      const number = Number(item.dataset.trial);
      item.classList.toggle("selected", number === state.selected);
      item.classList.toggle("out", state.shown !== null && !state.shown.has(number));
    }
  }

  /** A trial in words, a line for each: its state and score, then its settings. */
  function describe(number) {
    const trial = byNumber.get(number);
    if (!trial) return `trial ${number}`;
    const score = `${trial.state}, ${data.objective} ${shown(trial.score)}`;
    const values = Object.entries(trial.settings).filter(([, value]) => value !== null);
    return [`trial ${number}`, score, ...values.map(([name, value]) => `${name} ${shown(value, 3)}`)].join("\n");
  }

  document.addEventListener("click", (event) => {
    const item = event.target.closest("svg [data-trial]");
    if (item) select(Number(item.dataset.trial));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && state.selected !== null) select(null);
  });

  // -- One tooltip for all: of trials (data-trial) and of anything else (data-tip) ----------------

  const tip = element("div", { id: "tip", hidden: true });
  document.body.append(tip);

  function showTip(text, x, y) {
    const [first, ...rest] = text.split("\n");
    tip.replaceChildren(element("b", {}, first), rest.join("\n"));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
    tip.style.top = `${y + box.height + 24 > innerHeight ? Math.max(4, y - box.height - 12) : y + 14}px`;
  }

  function hideTip() {
    tip.hidden = true;
  }

  function tipOf(target) {
    const item = target.closest?.("[data-tip], svg [data-trial]");
    return item && (item.dataset.tip ?? describe(Number(item.dataset.trial)));
  }

  document.addEventListener("pointermove", (event) => {
    const text = event.pointerType === "touch" ? null : tipOf(event.target);
    if (text) showTip(text, event.clientX, event.clientY);
    else hideTip();
  });
  document.addEventListener("focusin", (event) => {
    const text = event.target.matches(":focus-visible") && tipOf(event.target);
    const box = event.target.getBoundingClientRect();
    if (text) showTip(text, box.right, box.bottom);
  });
  document.addEventListener("focusout", hideTip);
  document.addEventListener("scroll", hideTip, { passive: true });

  return { data, trials, byNumber, state, shown, rows, csv, element, download, copy, announce, on, select, filter, mark, describe, showTip, hideTip };
})();
