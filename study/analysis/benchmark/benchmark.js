// The chart of a benchmark's page.
"use strict";

page.figures.figure("scores", {
  draw(width, { rows, options }) {
    const own = rows.filter((row) => row.backbone !== "no backbone");
    const baselines = rows.filter((row) => row.backbone === "no backbone");
    const methods = [...new Set(own.map((row) => row.method))];
    const text = (row) => `${row.task}, ${row.backbone}, ${row.method}: ${page.shown(row.mean, 3)}${row.sd === null ? "" : ` ± ${page.shown(row.sd, 2)}`} (${row.n} run${row.n === 1 ? "" : "s"})`;
    const plot = Plot.plot({
      width, height: 70 + 26 * options.tasks.length, marginLeft: Math.min(150, width * 0.3), marginTop: 8, marginBottom: 40,
      x: { label: "mean test MCC", labelAnchor: "center", labelArrow: "none", grid: true, nice: true },
      y: { domain: options.tasks, label: null, tickFormat: (name) => (name.length > 20 ? `${name.slice(0, 19)}…` : name) },
      color: { domain: methods, range: methods.map((_, place) => `var(--hue-${(place % 7) + 1})`) },
      symbol: { domain: methods },
      marks: [
        Plot.tickX(baselines, { x: "mean", y: "task", stroke: "var(--soft)", strokeWidth: 2, className: "baselines" }),
        Plot.dot(own, { x: "mean", y: "task", stroke: "method", symbol: "method", r: 4.5, strokeWidth: 1.6, className: "means" }),
      ],
    });
    for (const [name, data] of [["baselines", baselines], ["means", own]]) {
      for (const mark of plot.querySelectorAll(`.${name} > *`)) mark.dataset.tip = text(data[mark.__data__]);
    }
    const legend = Plot.legend({ symbol: { domain: methods, label: null }, color: { domain: methods, range: methods.map((_, place) => `var(--hue-${(place % 7) + 1})`) }, stroke: "color" });
    return page.element("div", {}, legend, plot);
  },
});

page.figures.figure("profiles", {
  draw(width, { rows, options }) {
    const color = { domain: options.methods, range: options.methods.map((_, place) => `var(--hue-${(place % 7) + 1})`) };
    // Each line ends at the right edge.
    const widest = options.widest * 1.03 || 0.01;
    const lines = rows.concat(options.methods.map((method) => ({ method, behind: widest, share: 1 })));
    const plot = Plot.plot({
      width, height: 300, marginLeft: 44, marginTop: 8, marginBottom: 40,
      x: { label: "test MCC below the best", labelAnchor: "center", labelArrow: "none", domain: [0, widest] },
      y: { label: null, grid: true, domain: [0, 1], tickFormat: "%" },
      color,
      marks: [Plot.lineY(lines, { x: "behind", y: "share", stroke: "method", strokeWidth: 1.8, curve: "step-after" })],
    });
    return page.element("div", {}, Plot.legend({ color, legend: "swatches" }), plot);
  },
});
