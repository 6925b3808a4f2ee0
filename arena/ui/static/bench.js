// The benchmarks' tab: links that change the view without leaving the page.
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
  });

  window.addEventListener("popstate", () => {
    if (document.getElementById("bench-body")?.offsetParent) show();
  });
})();
