// Tables with class `sortable`: a click on the head of a column sorts by it, again the other way.
"use strict";

page.tables = (() => {
  /** What a cell is sorted by: its data-value, else its text, as a number if it begins with one. */
  function key(cell) {
    const text = (cell?.dataset.value ?? cell?.textContent ?? "").trim().replaceAll(",", "").replace("−", "-");
    if (text === "" || text === "–") return null;
    const number = /^[-+]?(\d|\.\d)/.test(text) ? parseFloat(text) : NaN;
    return Number.isNaN(number) ? text.toLowerCase() : number;
  }

  /** Orders keys: numbers before text, the missing last in both directions. */
  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  }

  function sort(table, column, sign) {
    const body = table.tBodies[0];
    const keyed = [...body.rows].filter((row) => !row.classList.contains("detail")).map((row) => [key(row.cells[column]), row]);
    keyed.sort((one, other) => compare(one[0], other[0], sign));
    for (const row of body.querySelectorAll("tr.detail")) row.remove();
    body.append(...keyed.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  function sortable(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = page.element("button", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const first = head.classList.contains("n") ? -1 : 1; // Of numbers the largest first.
        sort(table, column, before ? (before === "ascending" ? -1 : 1) : first);
      });
    });
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  return { sort, key };
})();
