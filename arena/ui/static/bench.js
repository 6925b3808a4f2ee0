// The benchmarks' tab: links that change the view without leaving the page, and headings that sort.
(() => {
  "use strict";
  const show = () => document.getElementById("bench-go")?.click();

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-bench]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      history.pushState(null, "", link.getAttribute("href"));
      show();
      document.getElementById("bench-body")?.scrollIntoView({ block: "nearest" });
    }
    const heading = event.target.closest("[data-sort]");
    if (heading) sort(heading.closest("th"));
  });

  window.addEventListener("popstate", () => {
    if (document.getElementById("bench-body")?.offsetParent) show();
  });

  // The first press shows the largest first (names from A), the next turns it round; what is not known stays last.
  function sort(heading) {
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const text = column === 0;
    const falling = heading.ariaSort === "none" ? !text : heading.ariaSort === "ascending";
    const valued = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
    const known = valued.filter(([value]) => value !== "");
    known.sort(([a], [b]) => (text ? a.localeCompare(b) : a - b) * (falling ? -1 : 1));
    body.append(...known.map(([, row]) => row), ...valued.filter(([value]) => value === "").map(([, row]) => row));
    for (const cell of heading.parentElement.cells) cell.ariaSort = "none";
    heading.ariaSort = falling ? "descending" : "ascending";
  }
})();
