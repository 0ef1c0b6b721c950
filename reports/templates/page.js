"use strict";
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

// Figures are drawn when they come close to the visible part: a page may have hundreds.
const drawn = new Set();
const draw = (element) => {
  try {
    const figure = JSON.parse(element.nextElementSibling.textContent);
    Plotly.react(element, figure.data, themed(figure.layout), { responsive: true, displayModeBar: false });
    drawn.add(element);
  } catch (error) {
    element.textContent = `This figure could not be drawn: ${error.message}`;
    console.error(error);
  }
};
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

// Long tables are sorted, filtered and paged from the rows stored in the page.
const PAGE = 100;
const text = (cell) => (cell === null ? "" : String(cell));
const rounded = (cell) => {
  if (typeof cell !== "number") return text(cell);
  return Number.isInteger(cell) ? cell.toLocaleString("en") : String(Number(cell.toPrecision(4)));
};
const made = (tag, content = "", properties = {}) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(content);
  return element;
};
const line = (cells, scope) => {
  const row = made("tr");
  row.append(...cells.map((cell, index) => (index && scope === "row" ? made("td", cell) : made("th", cell, { scope }))));
  return row;
};
const commandOf = (title, text) => {
  const box = made("div", "", { className: "command" }), code = made("pre", made("code", text), { tabIndex: 0, role: "region" });
  code.setAttribute("aria-label", title);
  box.append(made("p", title), made("button", "Copy", { type: "button", className: "copy" }), code);
  return box;
};
for (const element of document.querySelectorAll(".browsed")) {
  const { columns, rows, commands } = JSON.parse(element.querySelector("script").textContent);
  const body = element.querySelector("tbody"), heads = [...element.querySelectorAll("thead th")];
  const filter = element.querySelector("input"), status = element.querySelector("[role=status]");
  const compared = element.querySelector(".compared");
  let chosen = rows, page = 0, by = null, down = false, picked = [];

  // One row is shown whole, two side by side with what differs marked, each with what trains it again.
  const compare = () => {
    const body = made("tbody"), name = (row) => `${columns[0]} ${row[0]}`;
    columns.slice(1).forEach((column, index) => {
      const values = picked.map((row) => row[index + 1]);
      if (values.every((value) => value === null)) return;
      const found = line([column, ...values.map((value) => (value === null ? "–" : rounded(value)))], "row");
      found.classList.toggle("differs", new Set(values).size > 1);
      body.append(found);
    });
    const table = made("table", made("thead", line(["", ...picked.map(name)], "col")));
    table.append(body);
    const again = picked.filter((row) => commands[rows.indexOf(row)]);
    compared.replaceChildren(...(picked.length ? [table] : []), ...again.map((row) =>
      commandOf(`To train ${name(row).toLowerCase()} again:`, commands[rows.indexOf(row)])));
  };
  const pick = (row) => {
    picked = picked.includes(row) ? picked.filter((other) => other !== row) : [...picked, row].slice(-2);
    show();
    compare();
  };

  const show = () => {
    const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
    page = Math.min(Math.max(page, 0), last);
    body.replaceChildren(...chosen.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
      const shown = document.createElement("tr");
      row.forEach((cell, index) => {
        const box = document.createElement(index ? "td" : "th");
        if (!index) box.scope = "row";
        if (!index && commands.length) {
          const button = made("button", rounded(cell), { type: "button", onclick: () => pick(row) });
          button.setAttribute("aria-pressed", String(picked.includes(row)));
          box.append(button);
          shown.append(box);
          return;
        }
        if (typeof cell === "number") box.className = "number";
        box.textContent = rounded(cell);
        shown.append(box);
      });
      return shown;
    }));
    status.textContent = `${chosen.length} of ${rows.length} rows, page ${page + 1} of ${last + 1}`;
  };
  const order = (one, two) => (typeof one === "number" && typeof two === "number" ? one - two : text(one).localeCompare(text(two)));
  const arrange = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    chosen = rows.filter((row) => words.every((word) => row.some((cell) => rounded(cell).toLowerCase().includes(word))));
    if (by !== null) {
      const empty = chosen.filter((row) => row[by] === null), full = chosen.filter((row) => row[by] !== null);
      full.sort((one, two) => (down ? -1 : 1) * order(one[by], two[by]));
      chosen = [...full, ...empty];
    }
    page = 0;
    show();
  };
  heads.forEach((head, index) => head.querySelector("button").addEventListener("click", () => {
    down = by === index && !down;
    by = index;
    for (const other of heads) other.setAttribute("aria-sort", other !== head ? "none" : down ? "descending" : "ascending");
    arrange();
  }));
  filter.addEventListener("input", arrange);
  element.querySelector(".before").addEventListener("click", () => { page -= 1; show(); });
  element.querySelector(".after").addEventListener("click", () => { page += 1; show(); });
  element.querySelector(".save").addEventListener("click", () => {
    // A text that a spreadsheet would evaluate as a formula is marked as text.
    const plain = (cell) => (typeof cell === "string" && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : text(cell));
    const quoted = (cell) => `"${plain(cell).replaceAll('"', '""')}"`;
    const lines = [columns, ...chosen].map((row) => row.map(quoted).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
    link.download = `${element.dataset.name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  });
  show();
}
