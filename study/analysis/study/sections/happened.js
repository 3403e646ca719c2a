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
      x: { label: options.x, domain: [0, d3.max(rows, (row) => row.x)] },
      y: { label: page.data.objective, grid: true },
      marks: [
        Plot.ruleX(options.rungs, { x: "x", stroke: "var(--soft)", strokeDasharray: "3 3", strokeOpacity: 0.6 }),
        Plot.text(options.rungs, { x: "x", text: (rung) => `rung ${rung.report}`, frameAnchor: "top", dy: -6, lineAnchor: "bottom", fill: "var(--soft)" }),
        Plot.line(others, { ...line, className: "other", stroke: (row) => page.figures.color(row.state), strokeWidth: 1.3, strokeOpacity: 0.75 }),
        Plot.line(winner, { ...line, className: "winner", stroke: "var(--winner)", strokeWidth: 2.6 }),
        Plot.dot(of("stopped early"), { x: "x", y: "score", className: "stopped", r: 3, stroke: "var(--stopped)", fill: "var(--paper)" }),
        Plot.dot(of("failed"), { x: "x", y: "score", className: "failed", symbol: "times", stroke: "var(--failed)", strokeWidth: 2 }),
        Plot.line(rows, { ...line, className: "hit", stroke: "black", strokeWidth: 9 }),
      ],
    });
    return page.figures.link(plot, { other: others, winner, stopped: of("stopped early"), failed: of("failed"), hit: rows });
  },
});
