// The leaderboard's part of the page: finding models, pictures of the plot, the link to the view.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const texts = JSON.parse(document.getElementById("arena-texts").textContent);

  // ---- finding: rows that hold every word stay; the words are part of the view's address
  const words = () => ($("#board-find")?.value || "").toLowerCase().split(/\s+/).filter(Boolean);
  function find() {
    const wanted = words();
    const rows = document.querySelectorAll("#board-table tr[data-find]");
    let left = 0;
    rows.forEach((row) => {
      row.hidden = !wanted.every((word) => row.dataset.find.includes(word));
      left += !row.hidden;
    });
    const none = $("#board-table .none-found");
    if (none) none.hidden = left > 0 || !rows.length;
    const scroll = $("#board-table .board-scroll");
    if (scroll) scroll.hidden = rows.length > 0 && !left;
  }
  document.addEventListener("input", (event) => {
    if (event.target.id !== "board-find") return;
    find();
    const query = new URLSearchParams(location.search);
    if (event.target.value) query.set("find", event.target.value);
    else query.delete("find");
    history.replaceState(null, "", "?" + query);
  });

  // ---- a table that is painted anew stays where its reader was
  let top = 0, left = 0, again = 0;
  document.addEventListener("scroll", (event) => {
    if (event.target.matches?.("#board-table .board-scroll")) [top, left] = [event.target.scrollTop, event.target.scrollLeft];
  }, true);
  function painted() {
    const field = $("#board-find");
    if (field && !field.dataset.begun) {
      field.dataset.begun = "1";
      field.value = new URLSearchParams(location.search).get("find") || "";
    }
    $("#board-table table[data-sortable]")?.dispatchEvent(new Event("painted", { bubbles: true }));
    find();
    const scroll = $("#board-table .board-scroll");
    if (scroll) [scroll.scrollTop, scroll.scrollLeft] = [top, left];
    const waiting = $("#board-table [data-again]");
    clearTimeout(again);
    if (waiting) again = setTimeout(() => $("#board-refresh")?.click(), 1000 * Number(waiting.dataset.again));
  }
  let watched = null;
  new MutationObserver(() => {
    const table = $("#board-table");
    if (table && table !== watched) {
      watched = table;
      new MutationObserver(painted).observe(table, { subtree: true, childList: true });
      painted();
    }
  }).observe(document.documentElement, { subtree: true, childList: true });

  // ---- pictures: what is on the page, on the page's own background
  async function picture(form) {
    const plot = $("#board-plot .js-plotly-plot");
    if (!plot || !window.Plotly) return;
    const page = getComputedStyle(document.documentElement);
    const layout = { ...plot.layout, paper_bgcolor: page.getPropertyValue("--card").trim() || "#fff", autosize: false };
    layout.font = { ...layout.font, color: page.getPropertyValue("--soft").trim() || "#62626d" };
    const kind = new URLSearchParams(location.search).get("plot") || "forest";
    const size = { width: Math.max(900, plot.clientWidth), height: plot.layout.height || plot.clientHeight };
    const data = plot.data.map((trace) => ({ ...trace }));
    const url = await window.Plotly.toImage({ data, layout: { ...layout, ...size } }, { format: form, scale: 2, ...size });
    const link = Object.assign(document.createElement("a"), { href: url, download: `arena-${kind}.${form}` });
    link.click();
  }

  document.addEventListener("click", async (event) => {
    const asked = event.target.closest("[data-picture]");
    if (asked) await picture(asked.dataset.picture);
    if (event.target.closest("#board-link")) {
      try { await navigator.clipboard.writeText(location.href); window.arena.toast(texts.link_copied); }
      catch { window.prompt(texts.copy_link, location.href); }
    }
  });
})();
