// Section "The race and the seeds".
"use strict";

(() => {
  const { figure, link } = page.figures;

  figure("race", {
    draw(width, { rows, options }) {
      const order = options.candidates;
      const of = (kind) => rows.filter((row) => row.kind === kind);
      const narrow = width < 480;
      const fill = (row) => (row.trial === options.winner ? "var(--winner)" : "var(--complete)");
      const label = (trial) => `trial ${trial}`;
      const lane = (row, shift) => order.indexOf(row.trial) + shift;
      const spread = new Map();
      for (const row of rows.filter((one) => one.kind === "choosing" || one.kind === "confirming")) {
        const own = spread.get(row.trial) ?? [];
        own.push(row);
        spread.set(row.trial, own);
      }
      // Runs of a candidate in the order of their seeds, so that equal heights are equal seeds.
      const most = d3.max([...spread.values()], (own) => own.length) ?? 1;
      for (const own of spread.values()) own.forEach((row, place) => (row.at = most > 1 ? -0.2 + (0.4 * place) / (most - 1) : 0));
      const means = [...of("mean"), ...of("mean confirmed")];
      // An interval of two runs is wide: the runs decide the range, and intervals are cut.
      const [least, largest] = d3.extent(rows, (row) => row.score), room = (largest - least) * 0.15 || 0.01;
      const domain = [least - room, largest + room];
      const each = order.length > 12 ? 34 : 46;
      const tick = (v) => (Number.isInteger(v) && v in order ? label(order[v]) : "");
      const plot = Plot.plot({
        width,
        height: each * order.length + 56,
        marginLeft: 62,
        marginRight: narrow ? 12 : 96,
        marginBottom: 38,
        x: { label: page.data.objective, domain, grid: true, ticks: narrow ? 4 : 7, labelArrow: "none" },
        y: { domain: [order.length - 0.5, -0.5], ticks: d3.range(order.length), tickFormat: tick, tickSize: 0, label: null },
        marks: [
          Plot.ruleY(d3.range(order.length - 1), { y: (place) => place + 0.5, stroke: "var(--grid)" }),
          Plot.ruleY(means.filter((row) => row.low !== null), { y: (row) => lane(row, 0.34), x1: "low", x2: "high", stroke: fill, strokeWidth: 2, clip: true }),
          Plot.ruleX(means, { x: "score", y1: (row) => lane(row, 0.26), y2: (row) => lane(row, 0.42), stroke: fill, strokeWidth: 3.4 }),
          Plot.dot(of("search"), { className: "search", x: "score", y: (row) => lane(row, -0.36), symbol: "times", r: 4, stroke: "var(--soft)", strokeWidth: 1.8 }),
          Plot.dot(of("choosing"), { className: "choosing", x: "score", y: (row) => lane(row, row.at), r: 4.4, fill, stroke: "var(--paper)", strokeWidth: 0.8 }),
          Plot.dot(of("confirming"), { className: "confirming", x: "score", y: (row) => lane(row, row.at), r: 4.4, fill: "var(--paper)", stroke: fill, strokeWidth: 1.8 }),
          narrow ? [] : Plot.text(means, { y: (row) => lane(row, 0), frameAnchor: "right", textAnchor: "start", dx: 10, text: (row) => `${page.shown(row.score, 3)}${row.low === null ? "" : ` ± ${page.shown((row.high - row.low) / 2, 2)}`}`, fill: "var(--soft)" }),
        ],
      });
      for (const [name, kind] of [["search", "search"], ["choosing", "choosing"], ["confirming", "confirming"]]) {
        for (const item of plot.querySelectorAll(`.${name} > *`)) {
          const row = of(kind)[item.__data__];
          item.dataset.trial = row.trial;
          item.dataset.tip = `${label(row.trial)}: ${page.shown(row.score)}\n${{ search: "its score in the search", choosing: "a fresh seed that chose the winner", confirming: "a fresh seed that confirms it" }[kind]}`;
        }
      }
      const failed = Object.entries(options.failed).map(([trial, count]) => `trial ${trial}: ${count} run${count > 1 ? "s" : ""} failed`);
      const items = [["filled var(--complete)", "seeds that chose"], ["hollow var(--winner)", "seeds that confirm"], ["cross var(--soft)", "score in the search"], ["line var(--complete)", "mean, 95 % interval"]];
      return parts.stack(parts.key(items), failed.length ? page.element("p", { class: "axis-note" }, failed.join("; ")) : null, plot);
    },
  });

  /** Names with a value and its interval, one row for each. */
  function intervals(width, rows, { name, value, low, high, label, domain, filled, tip, zero, extra = [] }) {
    const names = rows.map((row) => row[name]);
    const left = Math.min(width * 0.42, 20 + 6.4 * d3.max(names, (text) => text.length));
    const cut = (text) => (text.length * 6.4 > left - 14 ? `${text.slice(0, Math.floor((left - 26) / 6.4))}…` : text);
    const plot = Plot.plot({
      width,
      height: 30 * rows.length + 52,
      marginLeft: left,
      marginRight: 16,
      marginBottom: 38,
      x: { label, domain, grid: true, ticks: 5, nice: !domain, labelArrow: "none" },
      y: { domain: names, label: null, tickFormat: cut, tickSize: 0 },
      marks: [
        zero ? Plot.ruleX([0], { stroke: "var(--soft)", strokeDasharray: "4 3" }) : [],
        Plot.ruleY(rows.filter((row) => row[low] !== null && row[high] !== null), { y: name, x1: low, x2: high, stroke: "var(--complete)", strokeWidth: 2 }),
        Plot.dot(rows, { className: "values", x: value, y: name, r: 5, fill: (row) => (filled(row) ? "var(--complete)" : "var(--paper)"), stroke: "var(--complete)", strokeWidth: 1.8 }),
        ...extra,
      ],
    });
    for (const item of plot.querySelectorAll(".values > *")) item.dataset.tip = tip(rows[item.__data__]);
    return plot;
  }

  const percent = (share) => (share === null ? "–" : `${page.shown(100 * share, 2)} %`);

  figure("seed_shares", {
    draw(width, { rows }) {
      const panels = d3.groups(rows, (row) => row.configuration).map(([configuration, own]) => {
        const plot = intervals(width, own, { name: "part", value: "share", low: "low", high: "high", label: "share of the variance", domain: [0, 1], filled: () => true, tip: (row) => `${row.part}: ${percent(row.share)}\n${percent(row.low)} to ${percent(row.high)}\n${row.sd}` });
        return parts.stack(page.element("p", { class: "axis-note" }, configuration), plot);
      });
      return parts.stack(...panels);
    },
  });

  figure("seed_differences", {
    draw(width, { rows }) {
      return intervals(width, rows, { name: "question", value: "difference", low: "low", high: "high", label: "difference", zero: true, filled: (row) => row.decided, tip: (row) => `${row.question}\n${page.shown(row.difference, 3)} (${page.shown(row.low, 3)} to ${page.shown(row.high, 3)})\n${row.p}` });
    },
  });

  figure("seed_overlap", {
    draw(width, { rows }) {
      const named = rows.map((row) => ({ ...row, name: `${row.differ_in}: ${row.configuration}` }));
      const ticks = (column, color) => Plot.tickX(named, { x: column, y: "name", stroke: color, strokeWidth: 2 });
      return parts.stack(
        parts.key([["filled var(--complete)", "overlap, with the range of pairs"], ["line var(--stopped)", "by chance"], ["line var(--hue-2)", "by the ranks"]]),
        intervals(width, named, { name: "name", value: "mean", low: "low", high: "high", label: "overlap (Jaccard index)", domain: [0, 1], filled: () => true, tip: (row) => `${row.name}\n${percent(row.mean)} over ${row.pairs} pairs (${percent(row.low)} to ${percent(row.high)})\nby chance ${percent(row.by_chance)}, by the ranks ${percent(row.by_ranks)}`, extra: [ticks("by_chance", "var(--stopped)"), ticks("by_ranks", "var(--hue-2)")] }),
      );
    },
  });
})();
