// Section "Trade-offs".
"use strict";

(() => {
  const chosen = { value: null };

  page.figures.figure("tradeoffs", {
    draw(width, { rows, options }) {
      const names = Object.keys(options.costs);
      chosen.value ??= names.find((name) => name === "kept_parameters") ?? names[0];
      const holder = page.element("div");
      const show = () => {
        const x = chosen.value, all = rows.filter((row) => row[x] !== null && row.score !== null);
        const paper = x === "trainable_parameters" ? options.paper : [];
        const domain = parts.scoreDomain(paper.map((point) => point.score));
        const own = all.map((row) => ({ ...row, y: Math.min(domain[1], Math.max(domain[0], row.score)) }));
        const looks = parts.byLook(own);
        const by = new Map(own.map((row) => [row.trial, row]));
        const front = options.fronts[x].map((trial) => by.get(trial)).filter(Boolean);
        const values = [...own.map((row) => row[x]), ...paper.map((point) => point.trainable_parameters)];
        const log = d3.min(values) > 0 && d3.max(values) / d3.min(values) > 20;
        const [low, high] = d3.extent(values), room = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
        const plot = Plot.plot({
          width,
          height: Math.max(260, Math.min(380, width * 0.5)),
          marginLeft: 50,
          marginRight: 20,
          marginBottom: 38,
          x: { label: options.costs[x], type: log ? "log" : "linear", domain: log ? [low / 1.15, high * 1.15] : [low - room, high + room], ticks: log ? 4 : 6, tickFormat: "~s", labelArrow: "none" },
          y: { label: page.data.objective, domain, grid: true, ticks: 6 },
          marks: [
            Plot.line(front, { x, y: "y", curve: options.larger.includes(x) ? "step-before" : "step-after", stroke: "var(--hue-3)", strokeWidth: 1.8 }),
            Plot.dot(looks.stopped, { x, y: "y", className: "stopped", r: 3, stroke: "var(--stopped)" }),
            Plot.dot(looks.complete, { x, y: "y", className: "complete", r: 4, fill: "var(--complete)", stroke: "var(--paper)", strokeWidth: 0.7 }),
            Plot.dot(front, { x, y: "y", className: "front", r: 7, stroke: "var(--hue-3)", strokeWidth: 1.6 }),
            Plot.dot(looks.winner, { x, y: "y", className: "winner", r: 5.5, fill: "var(--winner)", stroke: "var(--paper)" }),
            Plot.dot(paper, { x: "trainable_parameters", y: "score", className: "paper", symbol: "diamond2", r: 5, stroke: (point) => (point.own ? "var(--ink)" : "var(--hue-4)"), strokeWidth: 1.6 }),
          ],
        });
        for (const item of plot.querySelectorAll(".paper > *")) {
          const point = paper[item.__data__];
          item.dataset.tip = `${point.name} (paper)\ntest ${page.shown(point.score, 3)}\n${page.shown(point.trainable_parameters)} trainable parameters`;
        }
        const items = [["filled var(--complete)", "complete"], ["hollow var(--stopped)", "stopped early"], ["line var(--hue-3)", "Pareto front"]];
        if (looks.winner.length) items.push(["filled var(--winner)", `trial ${page.data.winner}, the best`]);
        if (paper.length) items.push(["diamond var(--hue-4)", "paper, test score"]);
        holder.replaceChildren(parts.key(items), page.figures.link(plot, { ...looks, front }));
        page.mark(holder);
      };
      show();
      return parts.stack(names.length > 1 ? parts.menu("against", names.map((name) => [name, options.costs[name]]), chosen, show) : null, holder);
    },
  });
})();
