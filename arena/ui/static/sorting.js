// Tables whose headings sort, by mouse and by keyboard; a table that is painted anew keeps its reader's order.
(() => {
  "use strict";
  const chosen = new Map();

  // The first press shows the largest first (names and ranks from their beginning), the next turns it round.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-sort]");
    if (!button) return;
    const heading = button.closest("th");
    const falling = heading.ariaSort === "none" ? button.dataset.sort !== "rising" : heading.ariaSort === "ascending";
    sort(heading, falling);
    const table = heading.closest("table").dataset.sortable;
    if (table) chosen.set(table, [heading.cellIndex, falling]);
  });

  document.addEventListener("painted", (event) => {
    const [column, falling] = chosen.get(event.target.dataset.sortable) || [];
    const heading = event.target.tHead?.rows[0].cells[column];
    if (heading && heading.ariaSort !== spoken(falling)) sort(heading, falling);
  });

  const spoken = (falling) => (falling ? "descending" : "ascending");

  // What is not known stays last.
  function sort(heading, falling) {
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const valued = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
    const known = valued.filter(([value]) => value !== "");
    const text = known.some(([value]) => isNaN(value));
    known.sort(([a], [b]) => (text ? a.localeCompare(b) : a - b) * (falling ? -1 : 1));
    body.append(...known.map(([, row]) => row), ...valued.filter(([value]) => value === "").map(([, row]) => row));
    for (const cell of heading.parentElement.cells) if (cell.ariaSort) cell.ariaSort = "none";
    heading.ariaSort = spoken(falling);
  }
})();
