// Section "What did the method do?".
"use strict";

(() => {
  const { figure, sequential } = page.figures;

  figure("budget", {
    draw(width, { rows, options }) {
      const of = (what) => rows.filter((row) => row.what === what && row.triplets !== null);
      const last = options.phases.at(-1).end;
      const top = d3.max(rows, (row) => row.triplets);
      const small = options.phases.map((phase) => ({ ...phase, middle: (phase.start + phase.end) / 2 })).filter((phase) => ((phase.end - phase.start) / last) * width > 60);
      const tip = (row) => `step ${page.shown(row.step)}: ${row.what} ${page.shown(row.triplets)}`;
      const plot = Plot.plot({
        width,
        height: Math.max(250, Math.min(330, width * 0.42)),
        marginLeft: 50,
        marginTop: 30,
        marginBottom: 38,
        x: { domain: [0, last], label: "step", labelArrow: "none" },
        y: { domain: [0, top * 1.04], label: "triplets of the model", grid: true },
        marks: [
          Plot.rect(options.phases.filter((_, place) => place % 2 === 0 || options.phases.length === 1), { x1: "start", x2: "end", y1: 0, y2: top * 1.04, fill: "var(--soft)", fillOpacity: 0.07 }),
          Plot.text(small, { x: "middle", text: "name", frameAnchor: "top", dy: -12, fill: "var(--soft)" }),
          Plot.line(of("schedule"), { x: "step", y: "triplets", stroke: "var(--hue-1)", strokeWidth: 1.8 }),
          Plot.line(of("kept on average"), { x: "step", y: "triplets", stroke: "var(--hue-2)", strokeDasharray: "4 3", strokeWidth: 1.4 }),
          Plot.dot(of("rank"), { className: "rank", x: "step", y: "triplets", symbol: "times", r: 4, stroke: "var(--hue-3)", strokeWidth: 1.8 }),
          Plot.dot(of("kept"), { className: "kept", x: "step", y: "triplets", r: of("kept").length > 80 ? 2 : 4, fill: "var(--hue-2)", stroke: "var(--paper)", strokeWidth: 0.7 }),
        ],
      });
      const counts = new Map(["budget", "re-introduced", "dropped"].map((what) => [what, new Map(of(what).map((row) => [row.step, row.triplets]))]));
      for (const item of plot.querySelectorAll(".kept > *")) {
        const row = of("kept")[item.__data__];
        item.dataset.tip = `${tip(row)}\n${[...counts].map(([what, by]) => `${what} ${page.shown(by.get(row.step))}`).join("\n")}`;
      }
      for (const item of plot.querySelectorAll(".rank > *")) item.dataset.tip = tip(of("rank")[item.__data__]);
      return parts.stack(parts.key([["line var(--hue-1)", "budget asked for"], ["filled var(--hue-2)", "kept"], ["dashed var(--hue-2)", "kept on average, by eq. 1"], ["cross var(--hue-3)", "rank at reports"]]), plot);
    },
  });

  /** A map of numbers over two lists of names; `tip` says what a cell is. */
  function heat(width, rows, { x, y, value, xs, ys, high, label, digits, left, xLabel, tip, text }) {
    const plot = Plot.plot({
      width,
      height: Math.max(18, Math.min(26, 420 / ys.length)) * ys.length + 54,
      marginLeft: left,
      marginTop: 8,
      marginBottom: 38,
      x: { type: "band", domain: xs, label: xLabel, tickSize: 0, labelArrow: "none", ticks: xs.filter((_, place) => place % Math.ceil((xs.length * 34) / (width - left)) === 0) },
      y: { type: "band", domain: ys, label: null, tickSize: 0 },
      color: { type: "identity" },
      marks: [
        Plot.cell(rows, { className: "cells", x, y, fill: (row) => (row[value] === null ? "var(--grid)" : sequential(high ? Math.min(1, row[value] / high) : 0)), inset: 0.5, rx: 1.5 }),
        text ? Plot.text(rows.filter((row) => row[value] !== null), { x, y, text: (row) => row[value].toFixed(digits), fill: (row) => (row[value] > 0.55 * high ? "var(--paper)" : "var(--ink)"), fontSize: 10.5, pointerEvents: "none" }) : [],
      ],
    });
    for (const item of plot.querySelectorAll(".cells > *")) item.dataset.tip = tip(rows[item.__data__]);
    return parts.stack(parts.ramp(label, 0, high), plot);
  }

  figure("ranks_over_events", {
    draw(width, { rows, options }) {
      const xs = [...new Set(rows.map((row) => row.step))], ys = [...new Set(rows.map((row) => row.matrix))];
      return heat(width, rows, { x: "step", y: "matrix", value: "rank", xs, ys, high: options.b0 || d3.max(rows, (row) => row.rank), label: "rank", digits: 0, left: 46, xLabel: "step of the mask event", text: xs.length * 22 < width - 46, tip: (row) => `layer and matrix ${row.matrix}\nstep ${page.shown(row.step)}: rank ${row.rank}` });
    },
  });

  const ranked = { value: null };
  figure("final_ranks", {
    draw(width, { rows, options }) {
      ranked.value ??= String(options.trials[0]);
      const holder = page.element("div");
      const show = () => {
        const own = rows.filter((row) => String(row.trial) === String(ranked.value));
        const xs = [...new Set(own.map((row) => row.matrix))], ys = [...new Set(own.map((row) => row.layer))];
        const spread = own.some((row) => row.sd !== null);
        const columns = spread && width > 520 ? 2 : 1, each = Math.floor((width - 24 * (columns - 1)) / columns);
        const shared = { x: "matrix", y: "layer", xs, ys, left: 34, xLabel: "matrix (rows: layers)", text: each / xs.length > 34 };
        const tip = (row) => `layer ${row.layer}, matrix ${row.matrix}\nmean rank ${page.shown(row.mean, 3)} over ${row.runs} run${row.runs > 1 ? "s" : ""}${row.sd === null ? "" : `, sd ${page.shown(row.sd, 2)}`}`;
        const maps = [heat(each, own, { ...shared, value: "mean", high: d3.max(own, (row) => row.mean), label: "mean rank", digits: 1, tip })];
        if (spread) maps.push(heat(each, own, { ...shared, value: "sd", high: Math.max(1, d3.max(own, (row) => row.sd)), label: "sd over runs", digits: 1, tip }));
        holder.replaceChildren(page.element("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, ${each}px)` }, ...maps));
      };
      show();
      const choices = options.trials.map((trial) => [String(trial), `trial ${trial}, ${options.runs[trial]} run${options.runs[trial] > 1 ? "s" : ""}`]);
      return parts.stack(choices.length > 1 ? parts.menu("ranks of", choices, ranked, show) : null, holder);
    },
  });

  const OUTCOMES = ["pruned", "re-introduced", "dropped", "kept"];
  const OUTCOME_COLORS = ["var(--grid)", "var(--hue-3)", "var(--hue-2)", "var(--hue-1)"];
  const other = { value: null };

  /** The raster of one run: a path for each outcome, so that a large model needs few elements. */
  function rasterOf(run, width, height, first) {
    const triplets = run.modules.length * run.b0, left = first ? 46 : 8;
    const events = run.steps.length, x = (width - left - 6) / events, y = height / triplets;
    const svg = d3.create("svg").attr("width", width).attr("height", height + 52).attr("viewBox", `0 0 ${width} ${height + 52}`);
    const plot = svg.append("g").attr("transform", `translate(${left},22)`);
    svg.append("text").attr("x", left).attr("y", 12).attr("fill", "var(--ink)").attr("font-weight", 600).text(run.name);
    const paths = OUTCOMES.map(() => []);
    const gap = x > 8 ? 1 : x > 3 ? 0.4 : 0;
    run.outcomes.forEach((codes, event) => {
      for (let row = 0; row < triplets; ) {
        let end = row + 1;
        while (end < triplets && codes[end] === codes[row] && end % run.b0) end++;
        paths[codes[row]].push(`M${(event * x).toFixed(2)} ${(row * y).toFixed(2)}h${(x - gap).toFixed(2)}v${((end - row) * y).toFixed(2)}h${(gap - x).toFixed(2)}z`);
        row = end;
      }
    });
    paths.forEach((path, code) => plot.append("path").attr("d", path.join("")).attr("fill", OUTCOME_COLORS[code]));
    const step = Math.ceil(14 / (run.b0 * y));
    run.modules.forEach((name, place) => {
      if (place) plot.append("path").attr("d", `M0 ${place * run.b0 * y}h${events * x}`).attr("stroke", "var(--paper)").attr("stroke-width", run.b0 * y > 8 ? 1.4 : 0.6);
      if (first && place % step === 0) plot.append("text").attr("x", -5).attr("y", (place + 0.5) * run.b0 * y).attr("dy", "0.32em").attr("text-anchor", "end").attr("fill", "var(--soft)").attr("font-size", 10).text(name);
    });
    const every = Math.ceil(36 / x);
    run.steps.forEach((at, event) => {
      if (event % every === 0 || (event === events - 1 && (events - 1) % every > every / 2)) plot.append("text").attr("x", (event + 0.5) * x).attr("y", height + 14).attr("text-anchor", "middle").attr("fill", "var(--soft)").text(page.shown(at));
    });
    svg.append("text").attr("x", left + (events * x) / 2).attr("y", height + 50).attr("text-anchor", "middle").attr("fill", "var(--soft)").text(run.steps.length < run.events ? `step of the mask event (${run.steps.length} of ${run.events})` : "step of the mask event");
    const over = plot.append("rect").attr("width", events * x).attr("height", height).attr("fill", "transparent").node();
    over.addEventListener("pointermove", (event) => {
      const box = over.getBoundingClientRect();
      const column = Math.min(events - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * events)));
      const row = Math.min(triplets - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * triplets)));
      over.dataset.tip = `${OUTCOMES[run.outcomes[column][row]]}\nlayer and matrix ${run.modules[Math.floor(row / run.b0)]}\nstep ${page.shown(run.steps[column])}`;
    }, { capture: true });
    return svg.node();
  }

  figure("raster", {
    draw(width, { options }) {
      const [first, ...others] = options.runs;
      other.value ??= others.length ? String(others[0].trial) : null;
      const holder = page.element("div");
      const show = () => {
        const second = others.find((run) => String(run.trial) === String(other.value));
        const columns = second && width > 560 ? 2 : 1, each = Math.floor((width - 18 * (columns - 1)) / columns);
        const height = Math.min(620, Math.max(220, 3.2 * first.modules.length * first.b0));
        const runs = [first, ...(second ? [second] : [])].map((run, place) => rasterOf(run, each, height, place === 0 || columns === 1));
        holder.replaceChildren(page.element("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, ${each}px)` }, ...runs));
      };
      show();
      const menu = others.length > 1 ? parts.menu("beside it:", others.map((run) => [String(run.trial), run.name]), other, show) : null;
      return parts.stack(parts.key([3, 0, 2, 1].map((code) => [`bar ${OUTCOME_COLORS[code]}`, { 3: "kept", 0: "pruned", 2: "dropped by the random mask", 1: "re-introduced by it" }[code]])), menu, holder);
    },
  });

  figure("event_scores", {
    draw(width, { rows, options }) {
      const columns = options.runs.length > 1 && width > 560 ? 2 : 1, each = Math.floor((width - 18 * (columns - 1)) / columns);
      const positive = rows.filter((row) => row.score > 0);
      const domain = d3.extent(positive, (row) => row.score);
      const decades = d3.range(Math.ceil(Math.log10(domain[0])), Math.floor(Math.log10(domain[1])) + 1).map((power) => 10 ** power);
      const ticks = decades.filter((_, place) => place % Math.ceil(decades.length / 6) === 0);
      const hues = ["var(--hue-3)", "var(--hue-5)", "var(--hue-1)"];
      const panels = options.runs.map((run) => {
        const own = positive.filter((row) => row.trial === run.trial);
        const steps = [...new Set(own.map((row) => row.step))];
        const hue = (row) => hues[steps.indexOf(row.step)];
        const at = steps.map((step) => {
          const curve = own.filter((row) => row.step === step);
          return curve.reduce((best, row) => (Math.abs(row.place - row.budget) < Math.abs(best.place - best.budget) ? row : best));
        });
        const plot = Plot.plot({
          width: each,
          height: 250,
          marginLeft: 56,
          marginRight: 12,
          marginTop: 26,
          marginBottom: 38,
          x: { label: "triplets in the order of their scores", labelArrow: "none", ticks: 5 },
          y: { type: "log", domain, label: "score", grid: true, ticks, tickFormat: (value) => value.toExponential(0).replace("e-", "e−"), labelArrow: "none" },
          marks: [
            Plot.text([run.name], { frameAnchor: "top", dy: -14, text: (d) => d, fontWeight: 600, fill: "var(--ink)" }),
            Plot.line(own, { x: "place", y: "score", z: "step", stroke: hue, strokeWidth: 1.8 }),
            Plot.dot(at, { className: "budgets", x: "place", y: "score", r: 4.5, fill: hue, stroke: "var(--paper)" }),
          ],
        });
        for (const item of plot.querySelectorAll(".budgets > *")) {
          const row = at[item.__data__];
          item.dataset.tip = `step ${page.shown(row.step)}\nbudget ${page.shown(row.budget)} of ${page.shown(d3.max(own, (one) => one.place))} triplets\nscore there ${page.shown(row.score, 2)}`;
        }
        return plot;
      });
      const items = ["first", "middle", "last"].map((name, place) => [`line ${hues[place]}`, `${name} event`]);
      return parts.stack(parts.key([...items, ["filled var(--soft)", "budget"]]), page.element("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, ${each}px)` }, ...panels));
    },
  });
})();
