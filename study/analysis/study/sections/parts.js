// What several charts of this page have in common: keys, ramps, menus, scales of settings.
"use strict";

const parts = (() => {
  const { element, shown } = page;

  /** A key: [[symbol, text], …]; the symbol is filled, hollow, cross, line, dashed, band, bar
      or diamond, with a colour as in "filled var(--complete)". */
  function key(items) {
    const made = items.map(([symbol, text]) => {
      const [shape, color] = symbol.split(" ");
      const svg = d3.create("svg").attr("width", 18).attr("height", 12).attr("aria-hidden", "true");
      const draw = {
        filled: () => svg.append("circle").attr("cx", 9).attr("cy", 6).attr("r", 4).attr("fill", color),
        hollow: () => svg.append("circle").attr("cx", 9).attr("cy", 6).attr("r", 3.6).attr("fill", "none").attr("stroke", color).attr("stroke-width", 1.5),
        cross: () => svg.append("path").attr("d", "M5.5 2.5l7 7m0-7l-7 7").attr("stroke", color).attr("stroke-width", 1.8),
        line: () => svg.append("path").attr("d", "M0 6h18").attr("stroke", color).attr("stroke-width", 2),
        dashed: () => svg.append("path").attr("d", "M0 6h18").attr("stroke", color).attr("stroke-width", 1.6).attr("stroke-dasharray", "4 3"),
        band: () => svg.append("rect").attr("y", 1).attr("width", 18).attr("height", 10).attr("fill", color).attr("fill-opacity", 0.25),
        bar: () => svg.append("rect").attr("x", 2).attr("y", 1).attr("width", 14).attr("height", 10).attr("fill", color),
        diamond: () => svg.append("path").attr("d", "M9 1l5 5-5 5-5-5z").attr("fill", "none").attr("stroke", color).attr("stroke-width", 1.5),
      };
      draw[shape]();
      return element("span", {}, svg.node(), text);
    });
    return element("div", { class: "chart-key" }, ...made);
  }

  /** The key of a continuous colour, from low to high. */
  function ramp(label, low, high) {
    return element("div", { class: "chart-key" }, element("span", {}, `${label} ${shown(low, 3)}`, element("span", { class: "ramp" }), shown(high, 3)));
  }

  /** A box with a key or a menu above charts. */
  const stack = (...nodes) => element("div", { class: "stack" }, ...nodes);

  /** A menu: choices are [value, text]; `state` keeps the chosen value between drawings. */
  function menu(label, choices, state, changed) {
    const select = element("select", { onchange: (event) => { state.value = event.target.value; changed(state.value); } });
    for (const [value, text] of choices) select.append(element("option", { value, selected: String(state.value) === String(value) }, text));
    const chosen = element("span", { class: "paper", "aria-hidden": "true" }, select.selectedOptions[0]?.textContent);
    select.addEventListener("change", () => (chosen.textContent = select.selectedOptions[0].textContent));
    return element("label", { class: "menu" }, `${label} `, select, chosen);
  }

  /** Where a setting lies on its axis, as a scale of Plot. */
  function scale(axis, padding = 0.03) {
    const low = axis.low, high = axis.high > axis.low ? axis.high : axis.low + 1;
    if (axis.log) {
      const factor = (high / low) ** padding;
      return { type: "log", domain: [low / factor, high * factor], ticks: ticks(axis), tickFormat: (v) => number(v) };
    }
    const room = axis.choices.length ? 0.5 : axis.whole ? Math.max(0.5, (high - low) * padding) : (high - low) * padding;
    const chosen = ticks(axis);
    return { domain: [low - room, high + room], ticks: chosen, tickFormat: (v) => (axis.choices.length ? axis.choices[v] : number(v)) };
  }

  function ticks(axis) {
    if (axis.choices.length) return axis.choices.map((_, place) => place);
    if (axis.high <= axis.low) return [axis.low];
    if (axis.log) {
      const decades = d3.range(Math.ceil(Math.log10(axis.low) - 1e-9), Math.floor(Math.log10(axis.high) + 1e-9) + 1).map((power) => 10 ** power);
      if (decades.length > 1) return decades.length > 4 ? decades.filter((_, place) => place % 2 === 0) : decades;
      return [axis.low, Math.sqrt(axis.low * axis.high), axis.high].map((value) => Number(value.toPrecision(1)));
    }
    return d3.ticks(axis.low, axis.high, 4).filter((value) => !axis.whole || Number.isInteger(value));
  }

  const number = (value) => (Math.abs(value) >= 0.001 || value === 0 ? String(Number(value.toPrecision(3))) : value.toExponential(0).replace("e-", "e−"));

  /** The value of a trial on an axis as a number, a choice by its index; null if it has none. */
  function position(axis, trial) {
    const value = trial.settings[axis.name];
    if (value === null || value === undefined) return null;
    if (!axis.choices.length) return value;
    const place = axis.choices.indexOf(value === true ? "True" : value === false ? "False" : String(value));
    return place < 0 ? null : place;
  }

  /** Trials as rows for marks, by how they are drawn. */
  function byLook(rows) {
    const winner = rows.filter((row) => row.trial === page.data.winner);
    const others = rows.filter((row) => row.trial !== page.data.winner);
    return {
      stopped: others.filter((row) => row.state === "stopped early" || row.state === "unfinished"),
      complete: others.filter((row) => row.state === "complete"),
      failed: others.filter((row) => row.state === "failed"),
      winner,
    };
  }

  /** The scores that decide the range of an axis: of complete trials, else of all. */
  function scoreDomain(extra = []) {
    const complete = page.trials.filter((trial) => trial.state === "complete" && trial.score !== null).map((trial) => trial.score);
    const known = complete.length > 1 ? complete : page.trials.filter((trial) => trial.score !== null).map((trial) => trial.score);
    const [low, high] = d3.extent([...known, ...extra]);
    const room = (high - low) * 0.08 || 0.01;
    return [low - room, high + room];
  }

  return { key, ramp, stack, menu, scale, ticks, number, position, byLook, scoreDomain };
})();
