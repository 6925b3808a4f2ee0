// The page's own script: votes as plain requests, keys, the phone's two tabs, live news of the board.
// It holds no truth: every button ends in the server saying what is so.
(() => {
  "use strict";
  const $ = (selector, root = document) => root.querySelector(selector);
  const language = document.documentElement.lang || "ru";
  const texts = JSON.parse(document.getElementById("arena-texts").textContent);
  const root = document.baseURI;

  async function post(path, body, signal) {
    try {
      const answer = await fetch(new URL("arena/" + path, root), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal,
      });
      if (answer.ok) return true;
      const said = await answer.json().catch(() => ({}));
      const wait = answer.headers.get("Retry-After") || "1";
      toast((texts["error_" + said.error] || texts.error_error).replace("{seconds}", wait));
    } catch {
      toast(texts.error_offline);
    }
    return false;
  }

  function toast(text, milliseconds = 6000) {
    let box = $("#arena-toast");
    if (!box) {
      box = document.createElement("div");
      box.id = "arena-toast";
      box.setAttribute("role", "alert");
      document.body.append(box);
    }
    box.textContent = text;
    box.classList.add("on");
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => box.classList.remove("on"), milliseconds);
  }

  let noting = Promise.resolve(); // what is tapped last is what arrives last

  // ---- the answers of a battle while they come: the server tells what is new, a hidden button has it painted
  const followed = {}, moving = {}; // by mode: the open stream, and what it said last
  function leave(mode) {
    followed[mode]?.close();
    delete followed[mode];
  }
  function follow(mode, id, attempt = 0) {
    leave(mode);
    if (!id) return;
    const source = new EventSource(new URL("arena/battle/" + id, root));
    const now = (moving[mode] = { head: {}, text: {}, page: [] });
    followed[mode] = source;
    source.onmessage = (event) => {
      const frame = JSON.parse(event.data);
      Object.assign(now.head, frame.head);
      Object.assign(now.text, frame.all);
      for (const side in frame.more) now.text[side] += frame.more[side];
      attempt = 0;
      if (frame.page) { now.page = frame.page; $(`#${mode}-repaint`)?.click(); setTimeout(newest, 150, mode); }
      $(`#${mode}-paint`)?.click();
    };
    source.addEventListener("over", () => leave(mode));
    source.onerror = () => { // a broken line mends itself; one that was refused is tried a few times
      if (source.readyState !== EventSource.CLOSED || followed[mode] !== source) return;
      if (attempt < 5) setTimeout(() => followed[mode] === source && follow(mode, id, attempt + 1), 2000);
      else { leave(mode); toast(texts.error_offline); }
    };
  }
  window.addEventListener("pagehide", () => Object.keys(followed).forEach(leave));
  // a chat's newest answer is looked at, not its oldest
  function newest(mode) {
    if (mode !== "direct" || !$("#direct-earlier-a .md *")) return;
    const answer = $("#direct-answer-a");
    if (answer?.offsetParent) answer.scrollIntoView({ block: "start" });
  }

  window.arena = {
    toast,
    remember(mode, id) {
      if (!id) { leave(mode); delete moving[mode]; }
      if (id !== this.recall(mode)) $(`#${mode}-battle`)?.classList.remove("seen-b", "show-earlier");
      try {
        if (id) sessionStorage.setItem("arena." + mode, id);
        else sessionStorage.removeItem("arena." + mode);
      } catch { /* storage is off: a reload then begins anew */ }
      return id;
    },
    follow,
    painted(mode, what, count) {
      const updates = Array.from({ length: count }, () => ({ __type__: "update" }));
      if (!moving[mode]) return updates; // the battle was left
      const { head, text, page } = moving[mode];
      if (what === "answers") return ["a", "b"].flatMap((side) => [head[side] || "", text[side] || ""]).slice(0, count);
      for (const [place, value] of page) updates[place] = value;
      return updates;
    },
    recall(mode) {
      try { return sessionStorage.getItem("arena." + mode) || ""; } catch { return ""; }
    },
    async vote(battle, verdict) {
      const bar = (closed) => document.querySelectorAll(".vote").forEach((button) => (button.disabled = closed));
      bar(true);
      const judged = $("#anonymous-battle [data-judged]")?.dataset.judged; // of the answers that stand on this page
      if (await post("vote", { battle, verdict, judged })) { told(); if (byKey) goOn(); }
      else bar(false); // what was not counted can be tried again
      return battle;
    },
    async undo(battle) {
      if (await post("undo", { battle }) && byKey) goOn();
      return battle;
    },
    async feedback(battle, chosen, comment) {
      const patience = () => AbortSignal.timeout(15000); // a request that hangs holds the next ones back no longer
      noting = noting.then(() => post("feedback", { battle, reasons: chosen, comment }, patience()));
      if (await noting) toast(texts.feedback_thanks, 2500);
    },
    // The address names the view, so that it can be sent; downloads follow it.
    address(chosen) {
      const keys = ["track", "slice", "method", "plot", "a", "b"];
      const query = new URLSearchParams({ tab: "board" });
      keys.forEach((key, index) => chosen[index] && query.set(key, chosen[index]));
      const find = new URLSearchParams(location.search).get("find");
      if (find) query.set("find", find);
      if ($("#board-table")?.offsetParent) history.replaceState(null, "", "?" + query);
      document.querySelectorAll("a[data-board]").forEach((link) => (link.search = "?" + query));
      return chosen;
    },
    speak(to) {
      // as the voter's cookie is set: in a frame of another site, a Space's, a browser keeps no other
      const place = self === top || !isSecureContext ? "samesite=lax" : "samesite=none; secure; partitioned";
      document.cookie = "arena_language=" + to + "; path=/; max-age=31536000; " + place;
      location.reload();
    },
  };

  // ---- whoever votes by keys finds the next button under them: the one that was pressed is gone
  let byKey = false;
  document.addEventListener("keydown", () => (byKey = true), true);
  document.addEventListener("pointerdown", () => (byKey = false), true);
  function goOn(tries = 300) {
    const next = $("#anonymous-new-after");
    if (next?.offsetParent && document.activeElement === document.body) next.focus({ preventScroll: true });
    else if (tries && byKey) setTimeout(goOn, 100, tries - 1);
  }

  // ---- whoever voted below a long answer is shown what the vote said, which stands above it
  function told(tries = 300) {
    const row = $("#anonymous-verdict .split")?.closest(".verdict-row");
    if (!row?.offsetParent) { if (tries) setTimeout(told, 100, tries - 1); return; }
    const { top, bottom } = row.getBoundingClientRect();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (top < 0 || bottom > innerHeight) row.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  }

  // ---- the phone's two tabs bear the names as soon as the sides do; Gradio's notes close in the page's language
  const label = (tab) => (tab.dataset.label ??= tab.textContent);
  function named(head) {
    const side = head.id.slice(-1), tab = $(`[data-side=${side}]`, head.closest(".arena-battle"));
    const name = $(".name", head)?.textContent;
    if (!tab) return;
    const wanted = name ? `${side.toUpperCase()}\u00a0· ${name.replaceAll("_", "_\u200b")}` : label(tab);
    if (label(tab) && tab.textContent !== wanted) tab.textContent = wanted;
  }
  new MutationObserver((changes) => {
    const heads = new Set(changes.map(({ target }) => target.closest?.("[id$=-head-a], [id$=-head-b]")));
    heads.delete(null), heads.delete(undefined);
    heads.forEach(named);
    document.querySelectorAll(".toast-close[aria-label=Close]").forEach((button) => (button.ariaLabel = texts.close));
  }).observe(document.documentElement, { subtree: true, childList: true });

  // ---- what was written and not sent outlives a reload, a change of language and a restart of the server
  const drafts = () => [...document.querySelectorAll(".bar textarea")];
  window.addEventListener("pagehide", () => {
    try {
      drafts().forEach((box) => box.value.trim() && sessionStorage.setItem("arena.draft." + box.closest("[id$=-prompt]").id, box.value));
    } catch { /* storage is off: what was written is lost */ }
  });
  const restoring = setInterval(() => {
    if (!drafts().length) return;
    clearInterval(restoring);
    drafts().forEach((box) => {
      const key = "arena.draft." + box.closest("[id$=-prompt]").id;
      try {
        if (sessionStorage.getItem(key) && !box.value) {
          box.value = sessionStorage.getItem(key);
          box.dispatchEvent(new Event("input", { bubbles: true }));
        }
        sessionStorage.removeItem(key);
      } catch { /* as above */ }
    });
  }, 200);

  // ---- keys: ← A, → B, ↑ tie, ↓ both bad, or 1–4; never while typing
  const keys = { ArrowLeft: "a", ArrowRight: "b", ArrowUp: "tie", ArrowDown: "bad", 1: "a", 2: "b", 3: "tie", 4: "bad" };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.repeat) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [role=tablist], [role=listbox], [role=dialog]")) return;
    const verdict = keys[event.key];
    const button = verdict && $("#anonymous-vote-" + verdict);
    if (!button || button.disabled || !button.offsetParent) return;
    event.preventDefault();
    button.click();
  });

  // ---- the phone's tabs, the language switch, the way out of a text field
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-side]");
    if (tab) showSide(tab.closest(".arena-battle"), tab.dataset.side);
    const earlier = event.target.closest("[data-earlier]");
    if (earlier) earlier.ariaExpanded = String(earlier.closest(".arena-battle").classList.toggle("show-earlier"));
    if (event.target.closest(".skip")) {
      const box = [...document.querySelectorAll(".bar textarea")].find((one) => one.offsetParent);
      if (box) { event.preventDefault(); box.focus(); }
    }
    const speak = event.target.closest("[data-speak]");
    if (speak) window.arena.speak(speak.dataset.speak);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches("textarea, input")) event.target.blur();
  });
  function showSide(battle, side) {
    if (!battle) return;
    battle.classList.toggle("show-b", side === "b");
    battle.classList.toggle("seen-b", side === "b" || battle.classList.contains("seen-b"));
    battle.querySelectorAll("[data-side]").forEach((tab) =>
      tab.setAttribute("aria-selected", String(tab.dataset.side === side)));
  }

  // ---- the undo button counts down by itself
  setInterval(() => {
    document.querySelectorAll("[data-undo-until]").forEach((note) => {
      const left = Math.max(0, Math.ceil((Number(note.dataset.undoUntil) - performance.now()) / 1000));
      const button = note.closest(".arena-battle")?.querySelector(".undo");
      if (!button) return;
      button.textContent = left ? texts.undo_left.replace("{seconds}", left) : texts.undo;
      button.disabled = !left;
    });
    document.querySelectorAll("[data-undo-seconds]").forEach((note) => {
      note.dataset.undoUntil = performance.now() + Number(note.dataset.undoSeconds) * 1000;
      delete note.dataset.undoSeconds;
    });
  }, 250);

  // ---- news: the board changed, models became ready. A page that nobody sees hangs up: a browser holds six lines to a
  // host, whatever its tabs, and with five pages listening the sixth line is too few to answer anything
  let seen = null, line = null;
  function listen() {
    if (document.hidden) return;
    const news = (line = new EventSource(new URL("arena/events", root)));
    news.onmessage = (event) => {
      const now = JSON.parse(event.data);
      offline(false);
      document.documentElement.classList.toggle("arena-alone", now.alone); // fewer than two models: no battle is offered
      const strip = $("#arena-preparing");
      if (strip) {
        strip.hidden = !now.preparing;
        strip.querySelector("span").textContent = now.preparing ? now.preparing[language] : "";
        strip.querySelector("i").style.width = Math.round(100 * now.done) + "%";
      }
      if (seen !== null && seen !== now.version) refresh();
      seen = now.version;
    };
    news.onerror = () => { // a broken line mends itself; one that a full arena refused is asked for again
      if (news.readyState === EventSource.CLOSED) setTimeout(() => line === news && listen(), 10000 + 5000 * Math.random());
      else setTimeout(() => line === news && offline(news.readyState === EventSource.CONNECTING), 1500);
    };
  }
  function hangUp() {
    line?.close();
    line = null;
  }
  window.addEventListener("pagehide", hangUp);
  document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : line ?? listen()));
  // the network came or went: a new line tells at once whether that touches this server, which may be this very machine
  for (const change of ["offline", "online"]) window.addEventListener(change, () => { hangUp(); listen(); });
  // the page says by itself that the server is gone; Gradio notices only when asked, and says it in English
  function offline(is) {
    const strip = $("#arena-offline");
    if (strip) { strip.textContent = texts.error_lost; strip.hidden = !is; }
    document.documentElement.classList.toggle("arena-offline", is);
  }
  function refresh() {
    const button = $("#board-refresh");
    if (button && $("#board-table")?.offsetParent) button.click();
  }
  listen();

  // ---- the address names the tab: a reload, a sent link and the way back open it
  const wanted = () => new URLSearchParams(location.search).get("tab") || "battle";
  const button = (name) => $(`#tab-${CSS.escape(name)}-button`);
  const inView = (tab) => tab.scrollIntoView({ block: "nearest", inline: "center" });
  let at = wanted();
  const views = { [at]: location.search }; // by tab: the view that was left
  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.("#arena-tabs > .tab-wrapper button[role=tab]");
    if (!tab) return;
    setTimeout(inView, 0, tab);
    const name = tab.id.slice("tab-".length, -"-button".length);
    if (!event.isTrusted || name === at) return;
    views[at] = location.search;
    at = name;
    history.pushState(null, "", location.pathname + (views[name] || (name === "battle" ? "" : "?tab=" + name)));
  }, true);
  window.addEventListener("popstate", () => {
    if (wanted() !== at) button((at = wanted()))?.click();
  });
  if (at !== "battle") {
    const opening = setInterval(() => {
      if (!button(at)) return;
      clearInterval(opening);
      button(at).click();
    }, 100);
    setTimeout(() => clearInterval(opening), 60000);
  }
})();
