// The integrity page: fetched with the operator's token when its tab is opened, and again after every act.
(() => {
  "use strict";
  const KEY = "arena.operator"; // the same token that opens the models' page
  const root = document.baseURI;
  let own = "", asked = "", seen = false;

  function token() {
    try { return sessionStorage.getItem(KEY) || own; } catch { return own; }
  }
  function keep(value) {
    own = value;
    try {
      if (value) sessionStorage.setItem(KEY, value);
      else sessionStorage.removeItem(KEY);
    } catch { /* storage is off: the token lives as long as the page */ }
  }

  async function run(act, body) {
    const door = document.getElementById("integrity-door");
    const place = document.getElementById("integrity-report");
    if (!door || !place || !token()) return;
    const note = door.querySelector("[role=alert]");
    door.hidden = true;
    place.hidden = false;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(new URL("arena/operator/integrity" + act, root), {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: "Bearer " + token() },
        body: JSON.stringify(body || {}),
      });
      const said = await answer.json().catch(() => ({}));
      if (answer.status === 403) keep("");
      if (!answer.ok) throw new Error(said.error || String(answer.status));
      note.textContent = "";
      place.innerHTML = said.html;
      if (said.said) window.arena?.toast(said.said);
    } catch (error) {
      note.textContent = error.message;
      if (place.innerHTML) window.arena?.toast(error.message);
      if (!token() || !place.innerHTML) { place.innerHTML = ""; place.hidden = true; door.hidden = false; }
    } finally {
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
    run("/" + act.dataset.integrity, { voter: act.dataset.voter || "" });
  });
  setInterval(() => {
    const holder = document.getElementById("integrity-door")?.parentElement;
    const visible = Boolean(holder?.offsetParent) && !document.hidden;
    if (visible && token() && (!seen || asked !== token())) { asked = token(); run(""); }
    seen = visible;
  }, 500);
})();
