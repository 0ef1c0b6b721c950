"use strict";
const text = (cell) => (cell === null ? "" : String(cell));
const rounded = (cell) => {
  if (typeof cell !== "number") return text(cell);
  return Number.isInteger(cell) ? cell.toLocaleString("en") : String(Number(cell.toPrecision(4)));
};
// Theme: the reader's preference, or the choice made here, which lasts until the page is closed.
const root = document.documentElement;
const preference = matchMedia("(prefers-color-scheme: dark)");
const switcher = document.getElementById("theme");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : preference.matches);
const themed = (layout) => {
  const style = getComputedStyle(root), color = (name) => style.getPropertyValue(name).trim();
  const axis = { automargin: true, gridcolor: color("--line"), zerolinecolor: color("--line"), linecolor: color("--line") };
  const copy = structuredClone(layout);
  if (matchMedia("(pointer: coarse)").matches) copy.dragmode = false;  // a finger that drags scrolls the page
  copy.paper_bgcolor = copy.plot_bgcolor = color("--paper");
  copy.font = { ...copy.font, color: color("--ink") };
  copy.legend = { orientation: "h", y: 1.02, yanchor: "bottom", ...copy.legend };
  for (const name of ["xaxis", "yaxis"]) {
    copy[name] = { ...axis, ...copy[name] };
    copy[name].title = { standoff: 12, ...copy[name].title };
  }
  return copy;
};

// What the figures and the table of a space share (trials.js): what a trial is, and which are marked or selected.
const tables = new Map();
const tableOf = (element) => tables.get(element.closest("[data-space]")?.dataset.space);
const MARKS = ["#E69F00", "#CC79A7"];

// Traces that show trials have their numbers as customdata. The text of a point is the whole configuration.
const explain = (trace, table) => {
  if (!trace.customdata || trace.type === "parcoords") return;
  const epoch = (index) => (trace.mode?.includes("lines") ? `epoch ${trace.x[index]}: ${rounded(trace.y[index])}<br>` : "");
  trace.hovertext = trace.customdata.map((trial, index) => (trial === null ? "" : epoch(index) + table.describe(trial)));
  trace.hoverinfo = "text";
  delete trace.hovertemplate;
};

// Marked trials have a ring wherever they are points, and a colour of their own among parallel coordinates.
const rings = (traces, picked) => {
  const ring = { x: [], y: [], marker: { color: [], size: 16, symbol: "circle-open", line: { width: 3 } } };
  for (const trace of traces) {
    trace.customdata?.forEach((trial, index) => {
      if (trace.type === "parcoords" || !picked.includes(trial)) return;
      ring.x.push(trace.type === "bar" ? trace.base[index] + trace.x[index] : trace.x[index]);
      ring.y.push(trace.y[index]);
      ring.marker.color.push(MARKS[picked.indexOf(trial)]);
    });
  }
  return ring.x.length ? [{ ...ring, type: "scatter", mode: "markers", cliponaxis: false, hoverinfo: "skip", showlegend: false }] : [];
};
const lines = (trace, table, before) => {
  const [worst, best] = trace.line.colorscale.map(([, color]) => color);
  const places = table.picked().map((trial) => trace.customdata.indexOf(trial));
  places.forEach((place, index) => { if (place >= 0) trace.line.color[place] = 1.25 + index / 2; });
  const marks = MARKS.flatMap((color, index) => [[0.5 + index / 4, color], [0.75 + index / 4, color]]);
  Object.assign(trace.line, { cmax: 2, colorscale: [[0, worst], [0.5, best], ...marks] });
  if (table.brushed()) before?.dimensions.forEach(({ constraintrange }, index) => Object.assign(trace.dimensions[index], { constraintrange }));
};
const selected = ({ dimensions, customdata }) => {
  const limits = dimensions.filter(({ constraintrange }) => constraintrange?.length);
  const within = ({ values, constraintrange }, index) =>
    [constraintrange].flat(Array.isArray(constraintrange[0]) ? 1 : 0).some(([low, high]) => low <= values[index] && values[index] <= high);
  return limits.length ? new Set(customdata.filter((_, index) => limits.every((limit) => within(limit, index)))) : null;
};

// Figures are drawn when they come close to the visible part: a page may have hundreds.
const drawn = new Set();
const draw = (element) => {
  try {
    const { data, layout } = JSON.parse(element.nextElementSibling.textContent), table = tableOf(element);
    if (table) {
      for (const trace of data) {
        if (trace.type === "parcoords") lines(trace, table, element.data?.[0]);
        else explain(trace, table);
      }
      data.push(...rings(data, table.picked()));
    }
    Plotly.react(element, data, themed(layout), { responsive: true, displayModeBar: false });
    if (table && !drawn.has(element)) {
      element.on("plotly_click", ({ points }) => table.pick(points[0].customdata));
      if (data[0].type === "parcoords") element.on("plotly_restyle", () => table.brush(selected(element.data[0])));
    }
    drawn.add(element);
  } catch (error) {
    element.textContent = `This figure could not be drawn: ${error.message}`;
    console.error(error);
  }
};
const redraw = (table) => { for (const figure of drawn) if (tableOf(figure) === table) draw(figure); };
const figures = [...document.querySelectorAll(".figure")];
const sight = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      sight.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "400px" });
for (const figure of figures) sight.observe(figure);

const repaint = () => {
  switcher.setAttribute("aria-pressed", String(isDark()));
  for (const figure of drawn) draw(figure);
};
switcher.setAttribute("aria-pressed", String(isDark()));
preference.addEventListener("change", repaint);
switcher.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  repaint();
});
// Spaces are in tabs, of which one is shown. An anchor in another tab, or in a fold, is opened.
const panels = [...document.querySelectorAll("[role=tabpanel]")];
const tabOf = (panel) => document.getElementById(panel.getAttribute("aria-labelledby"));
const choose = (tab) => {
  for (const other of tab.parentElement.children) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
};
for (const list of document.querySelectorAll("[role=tablist]")) {
  choose(list.firstElementChild);
  list.addEventListener("click", ({ target }) => { if (target.role === "tab") choose(target); });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], tabs = [...list.children];
    if (!step) return;
    const next = tabs.at((tabs.indexOf(document.activeElement) + step) % tabs.length);
    choose(next);
    next.focus();
    event.preventDefault();
  });
}
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const panel = target.closest("[role=tabpanel]"), fold = target.querySelector(":scope > details");
  if (panel) choose(tabOf(panel));
  if (fold) fold.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();

// The contents mark the section that is read.
const links = new Map([...document.querySelectorAll("nav > ul > li > a")].map((link) => [link.hash.slice(1), link]));
const reading = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(target.id).setAttribute("aria-current", "true");
  }
}, { rootMargin: "-20% 0px -75% 0px" });
for (const section of document.querySelectorAll("section")) reading.observe(section);

// Commands are copied; where the browser does not allow it, they are selected.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest(".copy");
  if (!button) return;
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// On paper everything is light, drawn and unfolded, as wide as the paper; afterwards the page is restored.
let restore = () => {};
addEventListener("beforeprint", () => {
  const { theme } = root.dataset, folded = [...document.querySelectorAll("details:not([open])")];
  const hidden = panels.filter((panel) => panel.hidden);
  restore = () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    root.classList.remove("paper");
    for (const details of folded) details.open = false;
    for (const panel of hidden) panel.hidden = true;
    repaint();
  };
  root.dataset.theme = "light";
  root.classList.add("paper");
  for (const details of folded) details.open = true;
  for (const panel of hidden) panel.hidden = false;
  for (const figure of figures) draw(figure);
});
addEventListener("afterprint", () => restore());
