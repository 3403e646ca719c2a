// The chart of a comparison's page.
"use strict";

page.figures.figure("runs", {
  draw(width, { rows, options }) {
    const names = options.means.map((one) => one.configuration);
    const seeds = (row) => ["mask", "init", "data"].filter((factor) => row[factor] !== null).map((factor) => `${factor} ${row[factor]}`).join(", ");
    const pair = (row) => `${row.init} ${row.data} ${row.mask ?? ""}`;
    const plot = Plot.plot({
      width, height: 70 + 46 * names.length, marginLeft: Math.min(150, width * 0.32), marginTop: 8, marginBottom: 40,
      x: { label: options.metric, labelAnchor: "center", labelArrow: "none", grid: true, nice: true },
      y: { axis: null },
      marks: [
        Plot.barX(options.means, { fy: "configuration", x1: "low", x2: "high", fill: "var(--winner)", fillOpacity: 0.3, insetTop: 16, insetBottom: 16 }),
        Plot.dot(rows, Plot.dodgeY({ x: "score", fy: "configuration", anchor: "middle", r: 4, padding: 1, fill: "var(--complete)", fillOpacity: 0.75, className: "runs" })),
        Plot.tickX(options.means, { fy: "configuration", x: "mean", stroke: "var(--winner)", strokeWidth: 2.5, className: "means" }),
      ],
      fy: { domain: names, label: null, padding: 0.1, axis: "left", tickFormat: (name) => (name.length > 20 ? `${name.slice(0, 19)}…` : name) },
    });
    const dots = [...plot.querySelectorAll(".runs circle")];
    for (const dot of dots) {
      const row = rows[dot.__data__];
      dot.dataset.tip = `${row.configuration}\n${options.metric} ${page.shown(row.score)}\n${seeds(row)}`;
      // The runs with the same seeds are those that a paired difference is taken of.
      const same = dots.filter((other) => pair(rows[other.__data__]) === pair(row));
      dot.addEventListener("pointerenter", () => same.forEach((other) => other.setAttribute("fill", "var(--winner)")));
      dot.addEventListener("pointerleave", () => same.forEach((other) => other.removeAttribute("fill")));
    }
    for (const tick of plot.querySelectorAll(".means > *")) {
      const one = options.means[tick.__data__];
      if (one) tick.dataset.tip = `${one.configuration}\nmean ${page.shown(one.mean)} (${page.shown(one.low)} to ${page.shown(one.high)})`;
    }
    return plot;
  },
});
