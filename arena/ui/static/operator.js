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
  }

  async function post(path, body) {
    const answer = await fetch(new URL("arena/operator/" + path, root), {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer " + token },
      body: JSON.stringify(body || {}),
    });
    const said = await answer.json().catch(() => ({}));
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

  async function run(path, body) {
    if (!token) return;
    const note = document.querySelector("#operator-door [role=alert]");
    try {
      const said = await post(path, body);
      if (note) note.textContent = "";
      show(said.html);
      if (said.said) window.arena?.toast(said.said);
    } catch (error) {
      if (!token) show("");
      if (note) note.textContent = error.message;
      if (token && path !== "models") window.arena?.toast(error.message);
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
    if (act) { act.disabled = true; run(act.dataset.act, { model: act.dataset.model }); }
    if (event.target.closest("[data-leave]")) { keep(""); show(""); }
  });
  setInterval(() => {
    const holder = document.getElementById("operator-door")?.parentElement;
    if (token && holder?.offsetParent && !document.hidden) run("models");
  }, 2000);
})();
