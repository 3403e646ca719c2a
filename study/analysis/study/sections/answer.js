// Section "The answer": the strip of each setting, buttons that select a trial.
"use strict";

for (const button of document.querySelectorAll("[data-select]")) {
  button.addEventListener("click", () => page.select(Number(button.dataset.select)));
  button.dataset.tip = page.describe(Number(button.dataset.select));
}

(() => {
  const WIDTH = 460;
  const ENDS = 52; // The room for a number at each end.
  const ROW = 22;
  const MOST = 300; // Of more trials that are neither as good nor failed an even selection is drawn.
  const good = new Set([page.data.winner, ...(page.data.as_good ?? [])]);

  /** The position of a value in 0..1. */
  function scale(domain) {
    if (domain.choices) {
      const last = Math.max(1, domain.choices.length - 1);
      return (value) => domain.choices.indexOf(value) / last;
    }
    const of = domain.log ? Math.log : (value) => value;
    const low = of(domain.low);
    const width = of(domain.high) - low || 1;
    return (value) => (of(value) - low) / width;
  }

  /** The values of a setting on a line: all that were tried, and above them those as good as the
      winner and the winner, or the trials in `failed`. */
  function strip(name, failed) {
    const domain = page.data.domains[name];
    if (!domain) return "";
    const at = scale(domain);
    const x = (value) => ENDS + (WIDTH - 2 * ENDS) * Math.max(0, Math.min(1, at(value)));
    const svg = d3.create("svg").attr("viewBox", `0 0 ${WIDTH} ${ROW}`).attr("role", "img");
    svg.attr("aria-label", `values of ${name}: all that were tried, and ${failed ? "those that failed" : "those as good as the winner, and the winner"}`);
    svg.append("line").attr("x1", ENDS).attr("x2", WIDTH - ENDS).attr("y1", ROW / 2).attr("y2", ROW / 2).attr("stroke", "var(--line)").attr("stroke-width", 2);
    const ends = (domain.choices ? [domain.choices[0], domain.choices.at(-1)] : [domain.low, domain.high]).map((value) => page.shown(value, 3));
    for (const [place, text] of ends.entries()) {
      svg.append("text").attr("x", place ? WIDTH - ENDS + 12 : ENDS - 12).attr("y", ROW / 2).attr("dy", "0.33em").attr("font-size", 11).attr("fill", "var(--soft)").attr("text-anchor", place ? "start" : "end").text(text.length > 9 ? `${text.slice(0, 8)}…` : text);
    }
    const values = page.trials.map((trial) => ({ ...trial, value: trial.settings[name] })).filter((one) => one.value !== null && one.value !== undefined);
    const fine = failed ? [] : values.filter((one) => good.has(one.trial)).map((one) => x(one.value));
    if (fine.length > 1 && !domain.choices) {
      svg.append("line").attr("x1", d3.min(fine)).attr("x2", d3.max(fine)).attr("y1", ROW / 2).attr("y2", ROW / 2).attr("stroke", "var(--complete)").attr("stroke-width", 8).attr("stroke-opacity", 0.35).attr("stroke-linecap", "round");
    }
    const order = (one) => {
      if (failed) return failed.has(one.trial) ? 4 : 0;
      return one.trial === page.data.winner ? 3 : good.has(one.trial) ? 2 : one.state === "complete" ? 1 : 0;
    };
    const plain = values.filter((one) => order(one) < 2);
    const step = Math.ceil(plain.length / MOST);
    const drawn = [...plain.filter((_, place) => place % step === 0), ...values.filter((one) => order(one) >= 2)];
    for (const one of drawn.sort((a, b) => order(a) - order(b))) {
      const rank = order(one);
      if (one.state === "failed") {
        svg.append("path").attr("data-trial", one.trial).attr("d", `M${x(one.value) - 4},${ROW / 2 - 4}l8,8m0,-8l-8,8`).attr("stroke", "var(--failed)").attr("stroke-width", 2.2);
        continue;
      }
      const dot = svg.append("circle").attr("data-trial", one.trial).attr("cx", x(one.value)).attr("cy", ROW / 2);
      dot.attr("r", rank === 3 ? 7 : rank === 2 ? 4 : 3.2);
      const full = one.state === "complete";
      const color = rank === 3 ? "var(--winner)" : rank === 2 ? "var(--complete)" : one.state === "failed" ? "var(--failed)" : "var(--stopped)";
      dot.attr("fill", full ? color : "var(--paper)").attr("stroke", color).attr("stroke-width", full ? 0.5 : 1.3);
    }
    return svg.node();
  }

  for (const cell of document.querySelectorAll(".strip[data-setting]")) {
    const { setting, failed } = cell.dataset;
    cell.replaceChildren(strip(setting, failed ? new Set(failed.split(" ").map(Number)) : null));
  }
})();
