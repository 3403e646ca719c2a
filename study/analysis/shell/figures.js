// Charts: drawn in idle time, and again when their width changes, in print, and in another scheme.
// The guide is shell/README.md.
"use strict";

page.figures = (() => {
  const PRINTED = 680; // The width of a chart on A4 paper, in pixels.
  const figures = [];
  const waiting = [];

  /** Registers the chart of the figure `name`, if the page has it: chart.draw(width, figure)
      returns an SVG or HTML node; `figure` has {rows, options}. */
  function figure(name, chart) {
    const box = document.getElementById(`figure-${name}`);
    const stored = page.data.figures?.[name];
    if (!box || !stored) return;
    const made = { name, chart, plot: box.querySelector(".plot"), width: 0, value: { rows: page.rows(stored.columns), options: stored.options } };
    box.querySelector(".csv")?.addEventListener("click", () => page.download(`${name}.csv`, page.csv(stored.columns)));
    figures.push(made);
    waiting.push(made);
    if (waiting.length === 1) later(drawWaiting);
  }

  const later = window.requestIdleCallback ? (work) => requestIdleCallback(work, { timeout: 200 }) : (work) => setTimeout(work, 0);

  function drawWaiting() {
    const next = waiting.shift();
    if (next) {
      draw(next);
      watcher.observe(next.plot);
    }
    if (waiting.length) later(drawWaiting);
    else document.documentElement.dataset.drawn = "yes";
  }

  function draw(made, width = made.plot.clientWidth) {
    if (!width) return; // It is hidden, in a <details> that is closed.
    made.width = width;
    try {
      const node = made.chart.draw(Math.floor(width), made.value);
      made.plot.replaceChildren(node);
      // An image hides its content from screen readers, and with it a menu.
      made.plot.setAttribute("role", node.querySelector("select") ? "group" : "img");
      keyboard(made, node);
      page.mark(made.plot);
    } catch (error) {
      made.plot.replaceChildren(`This chart could not be drawn: ${error.message}`);
      console.error(made.name, error);
    }
  }

  // Safari has no scrollbar-gutter: a chart that changes the page's height may change its own width
  // by a scrollbar. Changes of less than a scrollbar's width are left alone.
  const watcher = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const made = figures.find((one) => one.plot === target);
      if (Math.abs(target.clientWidth - made.width) > 18) requestAnimationFrame(() => draw(made));
    }
  });

  function redraw(width) {
    for (const made of figures) draw(made, width);
  }

  window.addEventListener("beforeprint", () => redraw(PRINTED));
  window.addEventListener("afterprint", () => redraw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());

  /** Arrow keys walk through the trials of a chart that has the focus; Enter selects. */
  function keyboard(made, node) {
    const numbers = [...new Set([...node.querySelectorAll("[data-trial]")].map((item) => Number(item.dataset.trial)))];
    made.plot.onkeydown = null;
    if (!numbers.length) return;
    made.plot.tabIndex = 0;
    made.plot.setAttribute("role", "group");
    let place = -1;
    made.plot.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        place = (place + step + numbers.length) % numbers.length;
        const item = made.plot.querySelector(`[data-trial="${numbers[place]}"]`);
        const box = item.getBoundingClientRect();
        page.showTip(page.describe(numbers[place]), box.right, box.top);
        page.announce(page.describe(numbers[place]));
        event.preventDefault();
      } else if (event.key === "Enter" && place >= 0) {
        page.select(numbers[place]);
        event.preventDefault();
      }
    };
  }

  /** Links marks of a plot to trials: `marks` has the class name of a mark and its rows, whose
      column `trial` is the number. Rows of a line or area that belong together share one. */
  function link(node, marks) {
    for (const [name, rows] of Object.entries(marks)) {
      for (const item of node.querySelectorAll(`.${name} > *, .${name} > a > *`)) {
        const datum = item.__data__ ?? item.parentNode.__data__;
        const row = rows[Array.isArray(datum) ? datum[0] : datum];
        if (row?.trial !== undefined && row.trial !== null) item.dataset.trial = row.trial;
      }
    }
    return node;
  }

  /** The colour of a state of trials, by its name on the page. */
  const color = (state) => `var(--${{ complete: "complete", "stopped early": "stopped", failed: "failed", unfinished: "running" }[state] ?? "stopped"})`;

  /** Interpolates between the ends of a sequential scale, t in 0..1; as `color: {interpolate}`. */
  const sequential = (t) => `color-mix(in oklab, var(--high) ${Math.round(100 * t)}%, var(--low))`;

  /** The same for a scale around a middle: 0 negative, 0.5 nothing, 1 positive. */
  const diverging = (t) =>
    t < 0.5 ? `color-mix(in oklab, var(--negative) ${Math.round(100 - 200 * t)}%, var(--low))` : `color-mix(in oklab, var(--positive) ${Math.round(200 * t - 100)}%, var(--low))`;

  return { figure, link, color, sequential, diverging, redraw };
})();
