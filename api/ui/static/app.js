// What the pages have beyond what works without a script: live figures, a box that selects all, forms that go on by themselves.
// Everything that comes from elsewhere is put into the page as text.
"use strict";
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  const body = document.body;

  // The clock of Redis, as far as the page or the last event told it.
  let ahead = Date.parse(body.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;

  const span = (ms) => {
    const s = Math.floor(ms / 1000);
    if (s < 60) return s + " s";
    if (s < 600) return Math.floor(s / 60) + " min" + (s % 60 ? " " + (s % 60) + " s" : "");
    if (s < 3600) return Math.floor(s / 60) + " min";
    if (s < 172800) return Math.floor(s / 3600) + " h" + (Math.floor(s / 60) % 60 ? " " + (Math.floor(s / 60) % 60) + " min" : "");
    return Math.floor(s / 86400) + " days";
  };
  const inWords = (at) => {
    const d = at - now();
    if (d > 1000) return "in " + span(d);
    return d < -1000 ? span(-d) + " ago" : "now";
  };

  // Times go on while the page is open.
  const tick = () => {
    if (document.hidden) return;
    for (const time of all("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      if (!Number.isNaN(at)) time.textContent = inWords(at);
    }
  };
  setInterval(tick, 1000);

  const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  const setTime = (element, iso) => {
    let time = element.querySelector("time");
    if (!iso) return setText(element, "–");
    if (!time) {
      time = document.createElement("time");
      element.replaceChildren(time);
    }
    time.dateTime = iso;
    time.title = iso;
    time.textContent = inWords(Date.parse(iso));
  };

  const setAlerts = (alerts) => {
    for (const list of all("[data-alerts]")) {
      const old = [...list.children].map((li) => li.className + li.textContent).join("\n");
      if (old === alerts.map((a) => a.kind + a.text).join("\n")) continue;
      list.replaceChildren(...alerts.map((a) => {
        const li = document.createElement("li");
        li.className = a.kind === "bad" ? "bad" : "warn";
        li.textContent = a.text;
        return li;
      }));
    }
  };

  let alive = false; // the page gets live updates
  const setState = (live) => {
    alive = live;
    for (const mark of all("[data-live-state]")) {
      mark.hidden = false;
      mark.textContent = live ? "live" : "not live";
      mark.classList.toggle("lost", !live);
    }
  };

  const apply = (event) => {
    setState(!event.lost);
    setAlerts(event.alerts);
    if (event.lost) return;
    if (event.now) ahead = event.now - Date.now();
    for (const element of all("[data-live]")) {
      const text = event.values[element.dataset.live];
      if (text !== undefined) setText(element, text);
    }
    for (const element of all("[data-live-time]")) {
      const iso = event.times[element.dataset.liveTime];
      if (iso !== undefined) setTime(element, iso);
    }
    for (const hint of all("[data-reload]")) hint.hidden = event.shape === body.dataset.liveShape;
  };

  // A page that nobody sees costs nothing: a browser has few connections for one host.
  if (body.dataset.liveShape !== undefined) {
    let source = null;
    let again = 0;
    const open = () => {
      clearTimeout(again);
      if (source || document.hidden) return;
      source = new EventSource("/ui/events");
      source.onmessage = (message) => apply(JSON.parse(message.data));
      source.onerror = () => {
        setState(false);
        if (source && source.readyState === EventSource.CLOSED) {
          close();
          again = setTimeout(open, 15000);
        }
      };
    };
    const close = () => {
      if (source) source.close();
      source = null;
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    addEventListener("pagehide", close);
    addEventListener("pageshow", open);
    open();
  }

  // A notice is for once: it does not come again when the page is loaded anew.
  const here = new URL(location.href);
  if (here.searchParams.has("notice")) {
    for (const name of ["notice", "n", "not", "unreadable"]) here.searchParams.delete(name);
    history.replaceState(null, "", here);
  }

  // The charts of the overview are made anew each minute, while the page is live, unless somebody is at its forms: an error page would not come
  // back.
  if (body.dataset.page === "overview") {
    setInterval(() => {
      const at = document.activeElement;
      if (alive && !document.hidden && (at === body || at === null || at.id === "main")) location.reload();
    }, 60000);
  }

  for (const form of all("form[data-select]")) {
    const boxes = [...form.querySelectorAll("input[name=id]")];
    const every = form.querySelector("[data-select-all]");
    const told = form.querySelector("[data-select-count]");
    const count = () => {
      const n = boxes.filter((box) => box.checked).length;
      every.checked = n === boxes.length;
      every.indeterminate = n > 0 && n < boxes.length;
      if (told) told.textContent = n ? " (" + n + ")" : "";
    };
    every.addEventListener("change", () => {
      for (const box of boxes) box.checked = every.checked;
      count();
    });
    form.addEventListener("change", count);
    count();
  }

  for (const element of all("[data-needs-script]")) element.hidden = false;

  // A change of many jobs goes on by itself, until its box is cleared. Only what somebody has begun in this tab goes on: a link to
  // such a page, or one that is opened again, begins nothing.
  const mark = "punctual-goes-on";
  const nameOf = (form) => ["queue", "state", "verb", "type", "text", "group"].map((name) => form.elements[name].value).join("\n");
  const begun = sessionStorage.getItem(mark);
  sessionStorage.removeItem(mark);
  for (const form of all("form[action='/ui/all'][method=post]")) {
    const remember = () => sessionStorage.setItem(mark, nameOf(form));
    form.addEventListener("submit", remember);
    if (form.dataset.auto === undefined || begun !== nameOf(form)) continue;
    setTimeout(() => {
      if (!form.elements.auto.checked) return;
      remember();
      form.submit();
    }, 400);
  }

  for (const area of all("textarea[data-json]")) {
    area.addEventListener("input", () => {
      let fault = "";
      try { if (area.value.trim()) JSON.parse(area.value); } catch (e) { fault = "This is no JSON: " + e.message; }
      area.setCustomValidity(fault);
    });
  }
})();
