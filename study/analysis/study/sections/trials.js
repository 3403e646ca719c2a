// Section "All trials": filter, columns, details of a trial; and the bar of the selected trial.
"use strict";

(() => {
  const table = document.getElementById("trial-table");
  if (!table) return;
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const curves = d3.group(page.data.figures?.learning_curves ? page.rows(page.data.figures.learning_curves.columns) : [], (row) => row.trial);

  // -- Columns ----------------------------------------------------------------------------------

  function show(column, visible) {
    for (const row of [table.tHead.rows[0], ...body.querySelectorAll("tr[data-trial]")]) row.cells[column].classList.toggle("off", !visible);
  }

  heads.forEach((head, column) => {
    if (column < 2) return;
    const box = page.element("input", { type: "checkbox", checked: !head.classList.contains("off"), onchange: () => show(column, box.checked) });
    document.getElementById("trial-columns").append(page.element("label", {}, box, ` ${head.dataset.column}`));
  });

  // -- The filter -------------------------------------------------------------------------------

  const COMPARISON = /^([^<>=\s]+)(<=|>=|!=|=|<|>)(.+)$/;
  const compare = {
    "<": (a, b) => a < b,
    ">": (a, b) => a > b,
    "<=": (a, b) => a <= b,
    ">=": (a, b) => a >= b,
    "=": (a, b) => same(a, b),
    "!=": (a, b) => !same(a, b),
  };

  /** Whether cells are equal; of text the beginning counts: "complete, as good" is complete. */
  const same = (a, b) => (typeof a === "string" ? a.startsWith(b) : a === b);
  const place = (name) => heads.findIndex((head) => (head.dataset.column ?? head.textContent.trim()) === name);

  /** The words of a filter; a comparison may have spaces around its sign. */
  const words = (text) => text.replace(/\s*([<>!]=|[<>=])\s*/g, "$1").split(/\s+/).filter(Boolean);

  /** The test of one word of the filter, a function of a row. */
  function test(word) {
    const [, name, sign, right] = word.match(COMPARISON) ?? [];
    const column = sign ? place(name) : -1;
    if (column < 0) return (row) => `${row.textContent} ${page.byNumber.get(Number(row.dataset.trial)).reason}`.toLowerCase().includes(word.toLowerCase());
    const value = Number.isNaN(Number(right)) ? right.toLowerCase() : Number(right);
    return (row) => {
      const cell = page.tables.key(row.cells[column]);
      return cell !== null && typeof cell === typeof value && compare[sign](cell, value);
    };
  }

  let unknown = []; // Names in the filter that are no column.
  function apply(text) {
    const tests = words(text).map(test);
    unknown = words(text).map((word) => word.match(COMPARISON)?.[1]).filter((name) => name && place(name) < 0);
    const rows = [...body.querySelectorAll("tr[data-trial]")].filter((row) => tests.every((passes) => passes(row)));
    page.filter("table", tests.length ? new Set(rows.map((row) => Number(row.dataset.trial))) : null);
  }

  const field = document.getElementById("trial-filter");
  field.addEventListener("input", () => apply(field.value));

  const count = document.getElementById("trial-count");
  function counted() {
    const all = page.trials.length;
    const shown = page.state.shown ? `${page.state.shown.size} of ${all} trials` : `${all} trials`;
    count.textContent = unknown.length ? `${shown}; no column is called ${unknown.join(", ")}` : shown;
  }
  counted();

  document.getElementById("trial-csv").addEventListener("click", () => {
    const rows = [...body.querySelectorAll("tr[data-trial]:not(.out)")];
    const columns = heads.map((head, place) => [head.dataset.column ?? head.textContent.trim(), rows.map((row) => row.cells[place].textContent.replaceAll(",", ""))]);
    page.download("trials.csv", page.csv(Object.fromEntries(columns)));
  });

  // -- A trial as text ----------------------------------------------------------------------------

  const plain = (value) => (typeof value === "number" ? String(value) : String(value ?? "null"));
  const searched = (trial) => Object.entries(page.data.sections).filter(([leaf]) => trial.settings[leaf] !== null && trial.settings[leaf] !== undefined);

  function yaml(trial) {
    const sections = d3.group(searched(trial), ([, section]) => section);
    return [...sections].map(([section, leaves]) => [`${section}:`, ...leaves.map(([leaf]) => `  ${leaf}: ${plain(trial.settings[leaf])}`)].join("\n")).join("\n");
  }

  function command(trial) {
    const quoted = (text) => (/^[\w.,:/=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const sets = searched(trial).map(([leaf, section]) => `--set ${quoted(`${section}.${leaf}=${plain(trial.settings[leaf])}`)}`);
    return [page.data.rerun, `--name ${quoted(`${page.data.name}-trial-${trial.trial}`)}`, ...sets].join(" ");
  }

  // -- Details ------------------------------------------------------------------------------------

  function curve(trial) {
    const rows = curves.get(trial.trial);
    if (!rows) return page.element("p", { class: "soft" }, "No report with a score.");
    const best = curves.get(page.data.winner) ?? [];
    return Plot.plot({
      width: 380, height: 170, marginLeft: 46, marginTop: 24,
      x: { label: page.data.figures.learning_curves.options?.x ?? "step" }, y: { label: page.data.objective, grid: true, ticks: 5 },
      marks: [
        Plot.line(best, { x: "x", y: "score", stroke: "var(--winner)", strokeOpacity: 0.4 }),
        Plot.line(rows, { x: "x", y: "score", stroke: "var(--complete)", strokeWidth: 2 }),
        Plot.dot(rows, { x: "x", y: "score", fill: "var(--complete)", r: 2.5 }),
      ],
    });
  }

  function facts(trial) {
    const seeds = Object.entries(trial.seeds).map(([stream, seed]) => `${stream} ${seed}`).join(", ");
    const rows = [...Object.entries(trial.settings).filter(([, value]) => value !== null), ["steps", `${trial.steps} of ${trial.total_steps}`], ["seeds", seeds], ["reason", trial.reason], ["crashes", trial.crashes || null]];
    const list = page.element("dl", { class: "facts" });
    for (const [name, value] of rows) if (value !== null && value !== "") list.append(page.element("dt", {}, name), page.element("dd", {}, page.shown(value)));
    return list;
  }

  function details(trial) {
    const copies = page.element("p", { class: "buttons screen" },
      page.element("button", { type: "button", onclick: (event) => page.copy(yaml(trial), event.target) }, "copy YAML"), " ",
      page.element("button", { type: "button", onclick: (event) => page.copy(command(trial), event.target) }, "copy command"));
    const picture = page.element("div", { class: "plot", role: "img", "aria-label": `learning curve of trial ${trial.trial}` }, curve(trial));
    const content = page.element("div", { class: "opened" }, page.element("div", {}, facts(trial), copies), picture);
    return page.element("tr", { class: "detail" }, page.element("td", { colspan: heads.length }, content));
  }

  function toggle(row, open) {
    const next = row.nextElementSibling;
    const isOpen = next?.classList.contains("detail") ?? false;
    if (isOpen === (open ?? !isOpen)) return;
    if (isOpen) next.remove();
    else row.after(details(page.byNumber.get(Number(row.dataset.trial))));
    row.querySelector(".open").setAttribute("aria-expanded", String(!isOpen));
  }

  for (const row of body.querySelectorAll("tr[data-trial]")) {
    const cell = row.cells[0];
    cell.replaceChildren(page.element("button", { type: "button", class: "open", "aria-expanded": "false", "aria-label": `details of trial ${row.dataset.trial}` }, cell.textContent));
  }
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-trial]");
    if (row && !String(getSelection())) toggle(row);
  });

  // -- The selected trial -------------------------------------------------------------------------

  const bar = page.element("div", { class: "chosen", role: "region", "aria-label": "selected trial", hidden: true });
  document.body.append(bar);

  page.on((state) => {
    counted();
    for (const detail of body.querySelectorAll("tr.detail")) detail.classList.toggle("out", detail.previousElementSibling.classList.contains("out"));
    bar.hidden = state.selected === null;
    if (bar.hidden) return;
    const trial = page.byNumber.get(state.selected);
    const row = body.querySelector(`tr[data-trial="${trial.trial}"]`);
    const open = () => {
      toggle(row, true);
      row.scrollIntoView({ block: "center" });
    };
    bar.replaceChildren(
      page.element("span", {}, page.element("b", {}, `trial ${trial.trial}`), ` ${trial.state}, ${page.data.objective} ${page.shown(trial.score)}`),
      page.element("button", { type: "button", onclick: open }, "details"),
      page.element("button", { type: "button", onclick: (event) => page.copy(yaml(trial), event.target) }, "copy YAML"),
      page.element("button", { type: "button", onclick: () => page.select(null), "aria-label": "select no trial" }, "✕"),
    );
  });
})();
