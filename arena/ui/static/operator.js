// The operator's page: asks for the token once per window, then shows what the server says and keeps it fresh.
(() => {
  "use strict";
  const KEY = "arena.operator";
  const root = document.baseURI;
  let token = "";
  try { token = sessionStorage.getItem(KEY) || ""; } catch { /* storage is off: asked again after a reload */ }

  function keep(value) {
    token = value;
    try {
      if (value) sessionStorage.setItem(KEY, value);
      else sessionStorage.removeItem(KEY);
    } catch { /* as above */ }
    if (!value) document.dispatchEvent(new Event("arena-left"));
  }
  // all pages of the operator open by this one token, and "arena-left" closes them all
  window.arenaKey = { token: () => token, keep };
  document.addEventListener("arena-left", () => show(""));

  async function post(path, body) {
    const shown = token;
    const answer = await fetch(new URL("arena/operator/" + path, root), {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer " + shown },
      body: JSON.stringify(body || {}),
    });
    const said = await answer.json().catch(() => ({}));
    if (token !== shown) return null; // the operator left meanwhile
    if (answer.ok) return said;
    if (answer.status === 403) keep("");
    throw new Error(said.error || String(answer.status));
  }

  function show(html) {
    const door = document.getElementById("operator-door");
    const place = document.getElementById("operator-models");
    if (!door || !place) return;
    door.hidden = Boolean(html);
    place.hidden = !html;
    if (place.dataset.shown === html) return;
    const held = document.activeElement?.closest?.("#operator-models [data-act]");
    place.innerHTML = place.dataset.shown = html;
    if (held) place.querySelector(`[data-model="${CSS.escape(held.dataset.model)}"]`)?.focus();
  }

  async function run(path, body, button) {
    if (!token) return;
    const note = document.querySelector("#operator-door [role=alert]");
    try {
      const said = await post(path, body);
      if (!said) return;
      if (note) note.textContent = "";
      show(said.html);
      if (said.said) window.arena?.toast(said.said);
    } catch (error) {
      if (note) note.textContent = error.message;
      if (token && path !== "models") window.arena?.toast(error.message);
    } finally {
      if (button) button.disabled = false; // what failed, or changed nothing, can be tried again
    }
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "operator-door") return;
    event.preventDefault();
    const field = event.target.elements.token;
    keep(field.value.trim());
    field.value = "";
    run("models");
  });
  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]");
    if (act) { act.disabled = true; run(act.dataset.act, { model: act.dataset.model }, act); }
    if (event.target.closest("[data-leave]")) keep("");
  });
  setInterval(() => {
    const holder = document.getElementById("operator-door")?.parentElement;
    if (token && holder?.offsetParent && !document.hidden) run("models");
  }, 2000);
})();
