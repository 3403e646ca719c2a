// The charts of a comparison's page.
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

page.figures.figure("looks", {
  draw(width, { rows, options }) {
    const { comparisons, metric, rope } = options;
    const columns = width < 620 ? 1 : Math.min(comparisons.length, width < 900 ? 2 : 3);
    const box = document.createElement("div");
    Object.assign(box.style, { display: "grid", gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gap: "0.5rem 1rem" });
    const known = rows.filter((row) => row.low !== null);
    const most = Math.max(...rows.map((row) => row.pairs));
    // The first intervals are so wide that nothing could be read off the last ones.
    const last = comparisons.flatMap((name) => known.filter((row) => row.comparison === name).slice(-1)).flatMap((row) => [row.low, row.high]);
    const ends = [...last, ...rows.filter((row) => row.pairs >= most / 4).map((row) => row.mean), -rope, rope, 0];
    const span = [Math.min(...ends), Math.max(...ends)], margin = 0.06 * (span[1] - span[0]);
    const y = { domain: [span[0] - margin, span[1] + margin], clamp: true, grid: true, label: null, ticks: 5 };
    for (const name of comparisons) {
      const own = rows.filter((row) => row.comparison === name), band = own.filter((row) => row.low !== null);
      const decided = band.find((row) => row.decision !== "undecided");
      const plot = Plot.plot({
        width: Math.floor((width - 16 * (columns - 1)) / columns), height: 210, marginLeft: 56, marginTop: 26, marginBottom: 34, y,
        x: { domain: [1, most], label: "pairs", labelAnchor: "center", labelArrow: "none", ticks: Math.min(most - 1, 6), tickFormat: "d" },
        marks: [
          ...(rope ? [Plot.rectY([0], { x1: 1, x2: most, y1: -rope, y2: rope, fill: "var(--stopped)", fillOpacity: 0.18 })] : []),
          Plot.areaY(band, { x: "pairs", y1: "low", y2: "high", fill: "var(--complete)", fillOpacity: 0.22 }),
          Plot.ruleY([0], { stroke: "var(--ink)", strokeOpacity: 0.5 }),
          Plot.line(own, { x: "pairs", y: "mean", stroke: "var(--complete)", strokeWidth: 2 }),
          Plot.dot(decided ? [decided] : [], { x: "pairs", y: "mean", r: 5, fill: "var(--winner)", stroke: "var(--paper)", className: "decided" }),
          Plot.dot(own, { x: "pairs", y: "mean", r: 6, fill: "transparent", className: "looks" }),
          Plot.text([name.length > 34 ? `${name.slice(0, 33)}…` : name], { frameAnchor: "top-left", dy: -22, fontWeight: 600, fill: "var(--ink)" }),
        ],
      });
      for (const dot of plot.querySelectorAll(".looks circle")) {
        const row = own[dot.__data__];
        const interval = row.low === null ? "" : `\ninterval ${page.shown(row.low)} to ${page.shown(row.high)}: ${row.decision}`;
        dot.dataset.tip = `${name}\nafter ${row.pairs} pairs: ${metric} ${page.shown(row.mean)}${interval}`;
      }
      box.append(plot);
    }
    return box;
  },
});
