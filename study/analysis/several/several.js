// The charts of several studies.
"use strict";

(() => {
  const cut = (name) => (name.length > 16 ? `${name.slice(0, 15)}…` : name);

  /** The marks of ranges: what was tried or the finite split (thin), what is as sure (thick), a dot. */
  function marks(rows, thin, thick, value, text) {
    const y = { y: "study" };
    return [
      Plot.ruleY(rows, { ...y, x1: thin[0], x2: thin[1], stroke: "var(--soft)", strokeWidth: 1.5, strokeOpacity: 0.7 }),
      Plot.ruleY(rows, { ...y, x1: thick[0], x2: thick[1], stroke: "var(--complete)", strokeWidth: 8, strokeOpacity: 0.4, strokeLinecap: "round" }),
      Plot.dot(rows, { ...y, x: value, r: 5, fill: "var(--winner)", title: text }),
    ];
  }

  page.figures.figure("scores", {
    draw(width, { rows }) {
      const studies = [...new Set(rows.map((row) => row.study))];
      const text = (row) => `${row.study}, ${row.split}: ${page.shown(row.mean)}`;
      return Plot.plot({
        width, marginBottom: 40, height: 74 + 26 * studies.length * (width < 640 ? 2 : 1), marginLeft: 120, marginTop: 34,
        x: { label: page.data.objective.replace(/^dev_/, ""), labelAnchor: "center", labelArrow: "none", grid: true, nice: true },
        y: { domain: studies, label: null, tickFormat: cut },
        ...(width < 640 ? { fy: { label: null, domain: ["test", "dev"] } } : { fx: { label: null, domain: ["test", "dev"] } }),
        marks: marks(rows, ["rows_low", "rows_high"], ["low", "high"], "mean", text),
        facet: { data: rows, [width < 640 ? "y" : "x"]: "split" },
      });
    },
  });

  page.figures.figure("ranges", {
    draw(width, { rows }) {
      const box = page.element("div", { style: "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:1rem 1.5rem" });
      const columns = Math.max(1, Math.floor(width / 340));
      const each = Math.floor(width / columns) - 12;
      const studies = [...new Set(rows.map((row) => row.study))];
      for (const [setting, own] of d3.group(rows, (row) => row.setting)) {
        const low = d3.min(own, (row) => row.tried_low);
        const log = low > 0 && own.some((row) => row.log);
        const high = d3.max(own, (row) => row.tried_high);
        const decades = log ? d3.range(Math.ceil(Math.log10(low)), Math.floor(Math.log10(high)) + 1).map((power) => 10 ** power) : [];
        const ticks = decades.length > 1 ? decades : [low, high];
        const text = (row) => `${row.study}: ${setting} ${page.shown(row.winner, 3)}, as good ${page.shown(row.low, 3)} to ${page.shown(row.high, 3)}`;
        box.append(
          Plot.plot({
            width: each, height: 62 + 24 * studies.length, marginLeft: 118, marginTop: 8, marginRight: 16, marginBottom: 40,
            x: { label: setting, labelAnchor: "center", labelArrow: "none", grid: true, type: log ? "log" : "linear", ticks: log ? ticks : 4, tickFormat: log ? (value) => page.shown(value, 1) : undefined },
            y: { domain: studies, label: null, tickFormat: cut },
            marks: marks(own, ["tried_low", "tried_high"], ["low", "high"], "winner", text),
          }),
        );
      }
      return box;
    },
  });
})();
