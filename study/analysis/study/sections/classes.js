// Section "Which classes does it tell apart?".
"use strict";

page.figures.figure("calibration", {
  draw(width, { rows, options }) {
    const side = Math.min(width, 560);
    const own = rows.map((row) => ({ ...row, x: row.confidence }));
    const splits = [["test", "var(--hue-2)"], ["dev", "var(--hue-1)"]];
    const least = Math.min(options.chance, d3.min(own, (row) => row.x)) - 0.03;
    const marks = splits.flatMap(([split, stroke]) => {
      const bins = own.filter((row) => row.split === split);
      return [
        Plot.ruleX(bins, { x: "x", y1: "low", y2: "high", stroke, strokeOpacity: 0.55, strokeWidth: 1.6 }),
        Plot.line(bins, { x: "x", y: "accuracy", stroke, strokeWidth: 1.4 }),
        Plot.dot(bins, { className: `bins ${split}`, x: "x", y: "accuracy", r: 4, symbol: split === "test" ? "circle" : "square", fill: stroke, stroke: "var(--paper)", strokeWidth: 0.7 }),
      ];
    });
    const plot = Plot.plot({
      width: side,
      height: Math.min(420, side * 0.82),
      marginLeft: 46,
      marginBottom: 40,
      x: { domain: [least, 1], label: "probability of the predicted class", labelAnchor: "center", labelArrow: "none", grid: true, ticks: side < 400 ? 5 : 8 },
      y: { domain: [0, 1], label: "share that is right", labelArrow: "none", grid: true, ticks: 6 },
      marks: [Plot.line([[Math.max(0, least), Math.max(0, least)], [1, 1]], { stroke: "var(--soft)", strokeDasharray: "4 3" }), ...marks],
    });
    for (const [split] of splits) {
      const bins = own.filter((row) => row.split === split);
      for (const item of plot.querySelectorAll(`.bins.${split} > *`)) {
        const row = bins[item.__data__];
        item.dataset.tip = `${split}: ${row.rows} sequences with ${page.shown(row.from, 2)} to ${page.shown(row.to, 2)}\nmean probability ${page.shown(row.confidence, 3)}\nright ${page.shown(row.accuracy, 3)} (${page.shown(row.low, 3)} to ${page.shown(row.high, 3)})`;
      }
    }
    return parts.stack(parts.key([["filled var(--hue-2)", "test"], ["bar var(--hue-1)", "dev"], ["dashed var(--soft)", "probabilities are right"]]), plot);
  },
});
