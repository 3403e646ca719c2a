// Section "Which settings work?".
"use strict";

(() => {
  const { figure, link, color, sequential } = page.figures;
  const objective = page.data.objective;
  const states = new Set(page.trials.map((trial) => trial.state));
  /** Whether an item of a key is of trials that the page has. */
  const present = ([, text]) => (text.startsWith("trial ") ? page.data.winner !== null : states.has(text));
  const dots = (rows, x, y, fill = "none") => {
    const looks = parts.byLook(rows), many = rows.length > 150;
    return {
      looks,
      marks: [
        Plot.dot(looks.stopped, { x, y, className: "stopped", r: many ? 2 : 2.6, fill, stroke: "var(--stopped)", strokeWidth: 1.1 }),
        Plot.dot(looks.failed, { x, y, className: "failed", r: 3, symbol: "times", stroke: "var(--failed)", strokeWidth: 1.6 }),
        Plot.dot(looks.complete, { x, y, className: "complete", r: many ? 2.3 : 3.2, fill: "var(--complete)", fillOpacity: many ? 0.6 : 1, stroke: "var(--paper)", strokeWidth: many ? 0.3 : 0.7 }),
        Plot.dot(looks.winner, { x, y, className: "winner", r: 5, fill: "var(--winner)", stroke: "var(--paper)", strokeWidth: 1 }),
      ],
    };
  };

  figure("effects", {
    draw(width, { rows, options }) {
      const columns = Math.max(1, Math.min(options.axes.length, Math.floor(width / 250)));
      const each = Math.floor((width - 14 * (columns - 1)) / columns);
      const domain = parts.scoreDomain(rows.flatMap((row) => [row.mean]));
      const clamped = (score) => Math.min(domain[1], Math.max(domain[0], score));
      const worst = page.data.maximize ? domain[0] : domain[1];
      const panels = options.axes.map((axis) => {
        const curve = rows.filter((row) => row.setting === axis.name && row.mean !== null);
        const band = curve.map((row) => ({ ...row, low: clamped(row.low), high: clamped(row.high), mean: clamped(row.mean) }));
        const own = page.trials.map((trial) => ({ trial: trial.trial, state: trial.state, x: parts.position(axis, trial), y: trial.score === null ? worst : clamped(trial.score) })).filter((row) => row.x !== null && (row.state !== "unfinished" || row.y !== worst));
        const { looks, marks } = dots(own, "x", "y");
        const expected = axis.choices.length
          ? [Plot.ruleX(band, { x: "x", y1: "low", y2: "high", stroke: "var(--hue-3)", strokeWidth: 9, strokeOpacity: 0.28 }), Plot.ruleY(band, { x1: (row) => row.x - 0.2, x2: (row) => row.x + 0.2, y: "mean", stroke: "var(--hue-3)", strokeWidth: 2 })]
          : [Plot.areaY(band, { x: "x", y1: "low", y2: "high", fill: "var(--hue-3)", fillOpacity: 0.18 }), Plot.lineY(band, { x: "x", y: "mean", stroke: "var(--paper)", strokeWidth: 4, strokeOpacity: 0.7, pointerEvents: "none" }), Plot.lineY(band, { x: "x", y: "mean", stroke: "var(--hue-3)", strokeWidth: 2.2, pointerEvents: "none" })];
        const plot = Plot.plot({
          width: each,
          height: 190,
          marginLeft: 44,
          marginRight: 10,
          marginBottom: 34,
          marginTop: 16,
          x: { ...parts.scale(axis), label: axis.name + (axis.nuisance ? " (nuisance)" : "") + (axis.log ? ", log" : ""), labelAnchor: "center", labelArrow: "none" },
          y: { domain, ticks: 4, grid: true, label: null, tickFormat: (value) => parts.number(value) },
          // A line hides single trials; many trials hide the line.
          marks: own.length > 150 ? [expected[0], ...marks, ...expected.slice(1)] : [...expected, ...marks],
        });
        return link(plot, looks);
      });
      const box = page.element("div", { class: "panels", style: `grid-template-columns: repeat(${columns}, ${each}px)` }, ...panels);
      const items = [["filled var(--complete)", "complete"], ["filled var(--winner)", `trial ${page.data.winner}, the best`], ["hollow var(--stopped)", "stopped early"], ["cross var(--failed)", "failed"]].filter(present);
      if (rows.length) items.push(["line var(--hue-3)", "expected score"], ["band var(--hue-3)", "95 % interval"]);
      return parts.stack(parts.key(items), page.element("p", { class: "axis-note" }, `${objective}; at the edge: trials beyond the range of the complete ones`), box);
    },
  });

  const pair = { value: null };
  const edges = (values, axis) => {
    const at = axis.log ? Math.log : (v) => v, back = axis.log ? Math.exp : (v) => v;
    const places = values.map(at);
    const half = axis.choices.length || places.length < 2 ? 0.5 : null;
    return new Map(values.map((value, i) => {
      const before = half ?? (places[i] - (places[i - 1] ?? 2 * places[i] - places[i + 1])) / 2;
      const after = half ?? ((places[i + 1] ?? 2 * places[i] - places[i - 1]) - places[i]) / 2;
      return [value, [back(places[i] - before), back(places[i] + after)]];
    }));
  };

  figure("pairs", {
    draw(width, { rows, options }) {
      pair.value ??= options.pairs[0].name;
      const holder = page.element("div");
      const show = () => {
        const chosen = options.pairs.find((one) => one.name === pair.value) ?? options.pairs[0];
        const [xAxis, yAxis] = [options.axes[chosen.x], options.axes[chosen.y]];
        const cells = rows.filter((row) => row.pair === chosen.name);
        const unique = (name) => [...new Set(cells.map((row) => row[name]))].sort(d3.ascending);
        const xs = edges(unique("x"), xAxis), ys = edges(unique("y"), yAxis);
        const domain = d3.extent(cells, (row) => row.mean), spread = d3.max(cells, (row) => row.sd);
        const own = page.trials.map((trial) => ({ trial: trial.trial, state: trial.state, x: parts.position(xAxis, trial), y: parts.position(yAxis, trial) })).filter((row) => row.x !== null && row.y !== null);
        const { looks, marks } = dots(own, "x", "y", "var(--paper)");
        const inner = Math.min(width, 640);
        const share = (row) => (domain[1] > domain[0] ? (row.mean - domain[0]) / (domain[1] - domain[0]) : 0.5);
        const extent = (map) => d3.extent([...map.values()].flat());
        const plot = Plot.plot({
          width: inner,
          height: Math.max(250, Math.min(400, inner * 0.68)),
          marginLeft: 52,
          marginBottom: 40,
          marginTop: 22,
          x: { ...parts.scale(xAxis), domain: extent(xs), label: chosen.x, labelArrow: "none" },
          y: { ...parts.scale(yAxis), domain: extent(ys), label: chosen.y, labelArrow: "none" },
          marks: [
            Plot.rect(cells, { className: "cells", x1: (row) => xs.get(row.x)[0], x2: (row) => xs.get(row.x)[1], y1: (row) => ys.get(row.y)[0], y2: (row) => ys.get(row.y)[1], fill: (row) => sequential(share(row)), fillOpacity: (row) => 1 - 0.72 * Math.min(1, row.sd / (spread || 1)), shapeRendering: "crispEdges" }),
            ...marks,
          ],
          color: { type: "identity" },
          opacity: { type: "identity" },
        });
        for (const item of plot.querySelectorAll(".cells > *")) {
          const row = cells[item.__data__];
          if (row) item.dataset.tip = `${objective} ${page.shown(row.mean, 3)} ± ${page.shown(1.96 * row.sd, 2)}\n${chosen.x} ${page.shown(row.x, 3)}\n${chosen.y} ${page.shown(row.y, 3)}`;
        }
        holder.replaceChildren(parts.ramp(`expected ${objective}`, ...domain), link(plot, looks));
        page.mark(holder);
      };
      const menu = parts.menu("two settings:", options.pairs.map((one) => [one.name, one.name]), pair, show);
      show();
      return parts.stack(menu, holder);
    },
  });

  const ranges = new Map();
  figure("parallel", {
    draw(width, { options }) {
      const score = { name: objective, log: false, whole: false, choices: [], isScore: true };
      const scores = page.trials.map((trial) => trial.score).filter((value) => value !== null);
      [score.low, score.high] = d3.extent(scores);
      const axes = [...options.axes, score];
      const flat = width < 84 * axes.length; // Axes lie on top of each other.
      const height = flat ? 52 * axes.length + 20 : 330;
      const margin = flat ? { along: 26, across: [30, 22] } : { along: 30, across: [46, 46] };
      const length = flat ? width - 2 * margin.along : height - 2 * margin.along - 8;
      const spread = d3.scalePoint(axes.map((axis) => axis.name), flat ? [margin.across[0], height - margin.across[1]] : [margin.across[0], width - margin.across[1]]);
      const scales = new Map(axes.map((axis) => {
        const high = axis.high > axis.low ? axis.high : axis.low + 1;
        const range = flat ? [margin.along, margin.along + length] : [margin.along + length + 4, margin.along + 4];
        return [axis.name, (axis.log ? d3.scaleLog : d3.scaleLinear)([axis.low, high], range)];
      }));
      const value = (axis, trial) => (axis.isScore ? trial.score : parts.position(axis, trial));
      const svg = d3.create("svg").attr("width", width).attr("height", height).attr("viewBox", `0 0 ${width} ${height}`);
      const line = (trial) => {
        const points = axes.map((axis) => [axis, value(axis, trial)]).filter(([, at]) => at !== null);
        return d3.line()(points.map(([axis, at]) => (flat ? [scales.get(axis.name)(at), spread(axis.name)] : [spread(axis.name), scales.get(axis.name)(at)])));
      };
      const order = { failed: 0, unfinished: 1, "stopped early": 2, complete: 3 };
      const trials = [...page.trials].sort((a, b) => (a.trial === page.data.winner) - (b.trial === page.data.winner) || order[a.state] - order[b.state]);
      const paths = (name) => svg.append("g").attr("class", name).attr("fill", "none").selectAll("path").data(trials).join("path").attr("d", line).attr("data-trial", (trial) => trial.trial);
      const best = (trial) => trial.trial === page.data.winner;
      const thin = Math.max(0.25, Math.min(0.8, 60 / trials.length));
      paths("lines").attr("stroke", (trial) => (best(trial) ? "var(--winner)" : color(trial.state))).attr("stroke-width", (trial) => (best(trial) ? 2.6 : 1.2)).attr("stroke-opacity", (trial) => (best(trial) ? 1 : trial.state === "complete" ? thin : thin * 0.6)).attr("stroke-dasharray", (trial) => (trial.state === "complete" ? null : "4 3"));
      paths("hit").attr("stroke", "black").attr("stroke-width", 8);
      for (const axis of axes) axisOf(svg, axis, spread(axis.name), scales.get(axis.name), flat, margin.along, length);
      return parts.stack(parts.key([["line var(--complete)", "complete"], ["line var(--winner)", `trial ${page.data.winner}, the best`], ["dashed var(--stopped)", "stopped early"], ["dashed var(--failed)", "failed"], ["dashed var(--running)", "unfinished"]].filter(present)), svg.node());

      function axisOf(root, axis, at, along, lies, start, size) {
        const group = root.append("g").attr("transform", lies ? `translate(0,${at})` : `translate(${at},0)`);
        const made = (lies ? d3.axisBottom : d3.axisLeft)(along).tickValues(axis.isScore ? d3.ticks(axis.low, axis.high, 4) : parts.ticks(axis)).tickSize(3).tickFormat((v) => (axis.choices.length ? axis.choices[v] : parts.number(v)));
        const ticks = group.append("g").call(made).attr("font-size", 10.5).attr("font-family", "inherit");
        ticks.selectAll("text").attr("fill", "var(--soft)").attr("stroke", "var(--paper)").attr("stroke-width", 3).attr("paint-order", "stroke");
        ticks.select(".domain").attr("stroke", "var(--soft)");
        const name = group.append("text").attr("fill", "var(--ink)").attr("font-weight", 600).attr("stroke", "var(--paper)").attr("stroke-width", 3).attr("paint-order", "stroke").text(axis.name);
        if (lies) name.attr("x", start).attr("y", -9);
        else name.attr("y", 14).attr("text-anchor", "middle");
        const brush = (lies ? d3.brushX() : d3.brushY()).extent(lies ? [[start - 6, -11], [start + size + 6, 11]] : [[-13, start], [13, start + size + 8]]).on("brush end", (event) => brushed(axis, along, event));
        const box = group.append("g").attr("class", "brush").call(brush);
        box.select(".overlay").append("title").text(`drag to keep a range of ${axis.name}`);
        const kept = ranges.get(axis.name);
        if (kept) box.call(brush.move, kept.map(along).sort(d3.ascending));
      }

      function brushed(axis, along, event) {
        const before = ranges.get(axis.name);
        if (!event.selection) ranges.delete(axis.name);
        else if (event.sourceEvent) ranges.set(axis.name, event.selection.map((place) => along.invert(place)).sort(d3.ascending));
        if (!event.sourceEvent || (event.type === "brush" && page.trials.length > 300) || (!before && !event.selection)) return;
        const kept = page.trials.filter((trial) => axes.every((one) => {
          const range = ranges.get(one.name), at = value(one, trial);
          return !range || (at !== null && at >= range[0] && at <= range[1]);
        }));
        page.filter("parallel", ranges.size ? new Set(kept.map((trial) => trial.trial)) : null);
      }
    },
  });

  figure("importance", {
    draw(width, { rows, options }) {
      const names = rows.map((row) => row.setting);
      const plot = Plot.plot({
        width,
        height: 34 * rows.length + 50,
        marginLeft: Math.min(width * 0.35, 24 + 6.5 * d3.max(names, (name) => name.length)),
        marginRight: 84,
        x: { domain: [0, Math.max(0.01, d3.max(rows, (row) => row.high))], label: "share of the variance", ticks: 5, grid: true, tickFormat: "~%", labelArrow: "none" },
        y: { domain: names, label: null },
        marks: [
          Plot.barX(rows, { className: "bars", x: "share", y: "setting", fill: (row) => (row.verdict === "noise" ? "var(--grid)" : "var(--complete)"), fillOpacity: (row) => (row.verdict === "matters" ? 0.85 : 0.55), insetTop: 5, insetBottom: 5 }),
          Plot.ruleY(rows, { y: "setting", x1: "low", x2: "high", stroke: "var(--ink)", strokeWidth: 1.4 }),
          Plot.ruleX([options.chance], { stroke: "var(--soft)", strokeDasharray: "4 3" }),
          Plot.text(rows, { y: "setting", frameAnchor: "right", textAnchor: "start", dx: 10, text: "verdict", fill: "var(--soft)" }),
        ],
      });
      for (const item of plot.querySelectorAll(".bars > *")) {
        const row = rows[item.__data__];
        item.dataset.tip = `${row.setting}: ${row.verdict}\n${page.shown(100 * row.share, 2)} % (${page.shown(100 * row.low, 2)} to ${page.shown(100 * row.high, 2)} %)\np = ${page.shown(row.p_value, 2)}: a share this large for any setting, if none matters`;
      }
      return plot;
    },
  });
})();
