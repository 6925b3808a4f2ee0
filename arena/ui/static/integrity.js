// The integrity page: fetched with the operator's token when its tab is opened, and again after every act.
(() => {
  "use strict";
  const { token, keep } = window.arenaKey; // the same that opens the models' page
  const root = document.baseURI;
  let asked = "", seen = false;

  function close() {
    const door = document.getElementById("integrity-door");
    const place = document.getElementById("integrity-report");
    if (!door || !place) return;
    place.innerHTML = "";
    place.hidden = true;
    door.hidden = false;
  }
  document.addEventListener("arena-left", close);

  async function run(act, body, button) {
    const door = document.getElementById("integrity-door");
    const place = document.getElementById("integrity-report");
    if (!door || !place || !token()) return;
    const note = door.querySelector("[role=alert]"), shown = token();
    door.hidden = true;
    place.hidden = false;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(new URL("arena/operator/integrity" + act, root), {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: "Bearer " + shown },
        body: JSON.stringify(body || {}),
      });
      const said = await answer.json().catch(() => ({}));
      if (token() !== shown) return; // the operator left meanwhile
      if (answer.status === 403) keep("");
      if (!answer.ok) throw new Error(said.error || String(answer.status));
      note.textContent = "";
      place.innerHTML = said.html;
      if (said.said) window.arena?.toast(said.said);
    } catch (error) {
      note.textContent = error.message;
      if (place.innerHTML) window.arena?.toast(error.message);
      if (!place.innerHTML) close();
    } finally {
      if (button) button.disabled = false; // what failed can be tried again
      place.removeAttribute("aria-busy");
    }
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "integrity-door") return;
    event.preventDefault();
    const field = event.target.elements.token;
    keep(field.value.trim());
    field.value = "";
    run("");
  });
  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-integrity]");
    if (!act) return;
    act.disabled = true;
    run("/" + act.dataset.integrity, { voter: act.dataset.voter || "" }, act);
  });
  setInterval(() => {
    const holder = document.getElementById("integrity-door")?.parentElement;
    const visible = Boolean(holder?.offsetParent) && !document.hidden;
    if (visible && token() && (!seen || asked !== token())) { asked = token(); run(""); }
    seen = visible;
  }, 500);
})();
