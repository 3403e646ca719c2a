// Section "What happened?".
"use strict";

page.figures.figure("learning_curves", {
  draw(width, { rows, options }) {
    const ends = d3.rollups(rows, (points) => points.at(-1), (row) => row.trial).map(([, last]) => last);
    const of = (state) => ends.filter((row) => row.state === state);
    const winner = rows.filter((row) => row.trial === page.data.winner);
    const others = rows.filter((row) => row.trial !== page.data.winner);
    const line = { x: "x", y: "score", z: "trial" };
    const plot = Plot.plot({
      width,
      height: Math.max(240, Math.min(380, width * 0.55)),
      marginLeft: 50,
      marginTop: 34,
      marginBottom: 38,
      x: { label: options.x, domain: [0, d3.max([...rows.map((row) => row.x), ...options.audited.map((one) => one.x2)])] },
      y: { label: page.data.objective, grid: true },
      marks: [
        Plot.ruleX(options.rungs, { x: "x", stroke: "var(--soft)", strokeDasharray: "3 3", strokeOpacity: 0.6 }),
        Plot.text(options.rungs, { x: "x", text: (rung) => `rung ${rung.report}`, frameAnchor: "top", dy: -6, lineAnchor: "bottom", fill: "var(--soft)" }),
        Plot.line(others, { ...line, className: "other", stroke: (row) => page.figures.color(row.state), strokeWidth: 1.3, strokeOpacity: Math.max(0.2, Math.min(0.75, 60 / ends.length)) }),
        Plot.link(options.audited, { x1: "x1", y1: "y1", x2: "x2", y2: "y2", stroke: "var(--stopped)", strokeWidth: 1.4, strokeDasharray: "1 3" }),
        Plot.dot(options.audited, { x: "x2", y: "y2", r: 3, fill: "var(--stopped)" }),
        Plot.line(winner, { ...line, className: "winner", stroke: "var(--winner)", strokeWidth: 2.6 }),
        Plot.dot(of("stopped early"), { x: "x", y: "score", className: "stopped", r: 3, stroke: "var(--stopped)", fill: "var(--paper)" }),
        Plot.dot(of("failed"), { x: "x", y: "score", className: "failed", symbol: "times", stroke: "var(--failed)", strokeWidth: 2 }),
        Plot.line(rows, { ...line, className: "hit", stroke: "black", strokeWidth: 9 }),
      ],
    });
    return page.figures.link(plot, { other: others, winner, stopped: of("stopped early"), failed: of("failed"), hit: rows });
  },
});

page.figures.figure("best_so_far", {
  draw(width, { rows, options }) {
    const line = rows.filter((row) => row.best !== null).map((row) => ({ trial: row.trial, best: row.best }));
    if (line.length) line.push({ trial: options.last, best: line.at(-1).best });
    const [low, high] = parts.scoreDomain();
    const plot = Plot.plot({
      width,
      height: Math.max(200, Math.min(260, width * 0.5)),
      marginLeft: 50,
      marginBottom: 38,
      x: { label: "trial", domain: [-0.5, Math.max(1, options.last) + 0.5], ticks: d3.ticks(0, Math.max(1, options.last), 6).filter(Number.isInteger), tickFormat: "d", labelArrow: "none" },
      y: { label: page.data.objective, domain: [low, high], grid: true, ticks: 5 },
      marks: [
        Plot.line(line, { x: "trial", y: "best", curve: "step-after", stroke: "var(--winner)", strokeWidth: 2 }),
        Plot.dot(rows, { x: "trial", y: "score", className: "dots", r: 3.2, fill: (row) => (row.trial === page.data.winner ? "var(--winner)" : "var(--complete)"), clip: true }),
      ],
    });
    return page.figures.link(plot, { dots: rows });
  },
});

page.figures.figure("timeline", {
  draw(width, { rows, options }) {
    const lanes = d3.max(rows, (row) => row.lane);
    const each = lanes > 12 ? Math.max(6, 220 / lanes) : 24;
    const fill = (row) => (row.trial === page.data.winner ? "var(--winner)" : page.figures.color(row.state));
    const search = rows.filter((row) => row.kind === "search"), race = rows.filter((row) => row.kind === "race");
    const laneOf = (trial, minute) => (rows.find((row) => row.trial === trial && row.kind === "search" && row.start <= minute && row.end >= minute) ?? rows.find((row) => row.trial === trial))?.lane;
    const crashes = options.crashes.map((crash) => ({ ...crash, lane: laneOf(crash.trial, crash.minute) })).filter((crash) => crash.lane);
    const span = { x1: "start", x2: "end", y1: (row) => row.lane - 0.42, y2: (row) => row.lane + 0.42 };
    const minutes = d3.max(rows, (row) => row.end), hours = minutes > 180;
    const ends = search.filter((row) => row.state === "stopped early" || row.state === "failed");
    const plot = Plot.plot({
      width,
      height: each * lanes + 56,
      marginLeft: 40,
      x: { domain: [0, minutes], label: `${hours ? "hours" : "minutes"} since the study was opened`, tickFormat: (v) => parts.number(hours ? v / 60 : v), ticks: hours ? d3.ticks(0, minutes / 60, 7).map((v) => v * 60) : 7, labelArrow: "none", grid: true },
      marginBottom: 38,
      y: { domain: [lanes + 0.5, 0.5], label: "lane", ticks: lanes > 12 ? 5 : d3.range(1, lanes + 1), tickFormat: "d", labelArrow: "none" },
      marks: [
        Plot.rect(search, { ...span, className: "search", fill, fillOpacity: (row) => (row.state === "complete" || row.trial === page.data.winner ? 0.85 : 0.45), inset: 0.5, rx: 2 }),
        Plot.rect(race, { ...span, className: "race", stroke: fill, fill, fillOpacity: 0.12, strokeWidth: 1.4, inset: 1.5, rx: 2 }),
        Plot.ruleX(ends, { x: "end", y1: (row) => row.lane - 0.42, y2: (row) => row.lane + 0.42, className: "ends", stroke: fill, strokeWidth: 2.6 }),
        each >= 14 ? Plot.text(rows.filter((row) => ((row.end - row.start) / minutes) * width > 24), { x: (row) => (row.start + row.end) / 2, y: "lane", text: (row) => String(row.trial), className: "numbers", fill: (row) => (row.kind === "search" && (row.state === "complete" || row.trial === page.data.winner) ? "var(--paper)" : "var(--ink)"), pointerEvents: "none" }) : [],
        Plot.ruleX(options.resumed, { stroke: "var(--ink)", strokeDasharray: "4 3" }),
        Plot.dot(crashes, { x: "minute", y: "lane", className: "crashes", symbol: "times", r: 5, stroke: "var(--failed)", strokeWidth: 2.2 }),
      ],
    });
    for (const [name, of] of [["search", search], ["race", race]]) {
      for (const item of plot.querySelectorAll(`.${name} > *`)) {
        const row = of[item.__data__];
        item.dataset.trial = row.trial;
        const crashed = row.crashes ? `\n${row.crashes} crash${row.crashes > 1 ? "es" : ""}` : "";
        item.dataset.tip = `${page.describe(row.trial)}\n${name === "race" ? "a run of the race, " : ""}${page.shown(row.start, 3)} to ${page.shown(row.end, 3)} min${crashed}`;
      }
    }
    for (const item of plot.querySelectorAll(".crashes > *")) item.dataset.tip = `trial ${crashes[item.__data__].trial} crashed\n${crashes[item.__data__].reason}`;
    const states = new Set(rows.map((row) => row.state));
    const items = [["complete", "bar var(--complete)"], ["stopped early", "bar var(--stopped)"], ["failed", "bar var(--failed)"], ["unfinished", "bar var(--running)"]].filter(([state]) => states.has(state)).map(([state, symbol]) => [symbol, state]);
    if (page.data.winner !== null) items.push(["bar var(--winner)", `trial ${page.data.winner}`]);
    if (race.length) items.push(["band var(--complete)", "run of the race"]);
    if (crashes.length) items.push(["cross var(--failed)", "crash"]);
    return parts.stack(parts.key(items), plot);
  },
});

page.figures.figure("spending", {
  draw(width, { rows }) {
    const text = (row) => (row.outcome === "not spent" ? "saved by stopping" : row.outcome);
    const fill = (row) => ({ complete: "var(--complete)", "stopped early": "var(--stopped)", failed: "var(--failed)", unfinished: "var(--running)", race: "var(--winner)" }[row.outcome] ?? "none");
    const plot = Plot.plot({
      width,
      height: 32 * rows.length + 50,
      marginLeft: 116,
      marginBottom: 38,
      marginRight: 60,
      x: { label: "steps of training", grid: true, ticks: 4, tickFormat: "~s", labelArrow: "none" },
      y: { domain: rows.map(text), label: null },
      marks: [
        Plot.barX(rows, { className: "bars", x: "steps", y: text, fill, fillOpacity: 0.8, stroke: (row) => (row.outcome === "not spent" ? "var(--ok)" : "none"), strokeWidth: 1.6, strokeDasharray: (row) => (row.outcome === "not spent" ? "5 3" : "none"), insetTop: 5, insetBottom: 5 }),
        Plot.text(rows, { x: "steps", y: text, text: (row) => (row.minutes === null ? "" : `${page.shown(row.minutes < 10 ? Math.round(10 * row.minutes) / 10 : Math.round(row.minutes))} min`), textAnchor: "start", dx: 6, fill: "var(--soft)" }),
      ],
    });
    for (const item of plot.querySelectorAll(".bars > *")) {
      const row = rows[item.__data__];
      item.dataset.tip = `${text(row)}\n${page.shown(row.trials)} ${row.outcome === "race" ? "runs" : "trials"}, ${page.shown(row.steps)} steps`;
    }
    return plot;
  },
});
