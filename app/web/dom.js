/* dom.js - making elements. Text goes in as text: nothing here, or anywhere, parses HTML from data. */

/* h("button", { class: "x", onclick: f, "aria-label": "y" }, "text", child, null, [more]) */
export function h(tag, props, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(el.dataset, value);
    else if (value === true) el.setAttribute(name, "");
    else el.setAttribute(name, value);
  }
  el.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return el;
}

export const $ = id => document.getElementById(id);

export function clear(el, ...children) {
  el.replaceChildren(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return el;
}

/* Line drawings on a grid of 20, in the colour of the text beside them. */
const drawings = {
  picture: "M3.5 4.5h13a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM2.5 13l4-4 4 4 2.5-2.5 4.5 4M13 8.2v.1",
  cross: "M5 5l10 10M15 5L5 15",
  dice: "M5 3h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM7 7v.1M13 7v.1M10 10v.1M7 13v.1M13 13v.1",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v1.5M10 16.5v1.5M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  moon: "M16.5 12A7 7 0 1 1 8 3.5 5.6 5.6 0 0 0 16.5 12z",
  download: "M10 3v9.5M6 9l4 4 4-4M4 16.5h12",
  loop: "M4 10a5 5 0 0 1 5-5h5M12 2.5L14.5 5 12 7.5M16 10a5 5 0 0 1-5 5H6M8 17.5L5.5 15 8 12.5",
  next: "M3 5h8v10H3zM14 10h4M16 8l2 2-2 2",
  compare: "M3 4.5h6v11H3zM11 4.5h6v11h-6z",
  again: "M15.5 6.5A6.5 6.5 0 1 0 16.5 10M16.5 3v4h-4",
  play: "M6.5 4.5l9 5.5-9 5.5z",
  pause: "M7 4.5v11M13 4.5v11",
  swap: "M4 7h11M12 4l3 3-3 3M16 13H5M8 10l-3 3 3 3",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
  check: "M4.5 10.5l3.5 3.5 7.5-8",
};

export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("ico");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", drawings[name]);
  svg.append(path);
  return svg;
}

/* "1.2 MB" */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/* A row of tabs over one panel; arrow keys move along it. tabs: [{ id, label, panel() }] */
export function tabs(label, items, chosen) {
  const panel = h("div", { class: "tab-panel", role: "tabpanel", tabindex: "0" });
  const buttons = items.map(item => h("button", {
    type: "button", role: "tab", class: "tab", id: `tab-${item.id}`, onclick: () => choose(item.id),
  }, item.label));
  const list = h("div", { class: "tab-list", role: "tablist", "aria-label": label, onkeydown: move }, buttons);
  let now = chosen;

  function choose(id) {
    now = id;
    items.forEach((item, i) => {
      buttons[i].setAttribute("aria-selected", String(item.id === id));
      buttons[i].tabIndex = item.id === id ? 0 : -1;
      if (item.id === id) clear(panel, item.panel());
    });
    panel.setAttribute("aria-labelledby", `tab-${id}`);
    root.dispatchEvent(new CustomEvent("chosen", { detail: id }));
  }
  function move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const i = (items.findIndex(item => item.id === now) + step + items.length) % items.length;
    choose(items[i].id);
    buttons[i].focus();
  }
  const root = h("div", { class: "tabs" }, list, panel);
  choose(items.some(item => item.id === chosen) ? chosen : items[0].id);
  return root;
}
