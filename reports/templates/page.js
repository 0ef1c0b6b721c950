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
// On paper everything is light, drawn and unfolded; afterwards the page is restored.
let restore = () => {};
addEventListener("beforeprint", () => {
  const { theme } = root.dataset, folded = [...document.querySelectorAll("details:not([open])")];
  restore = () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const details of folded) details.open = false;
    repaint();
  };
  root.dataset.theme = "light";
  for (const details of folded) details.open = true;
  for (const figure of figures) draw(figure);
});
addEventListener("afterprint", () => restore());

// Long tables are sorted, filtered and paged from the rows stored in the page.
const PAGE = 100;
const text = (cell) => (cell === null ? "" : String(cell));
const rounded = (cell) => text(typeof cell === "number" && !Number.isInteger(cell) ? Number(cell.toPrecision(4)) : cell);
for (const element of document.querySelectorAll(".browsed")) {
  const { columns, rows } = JSON.parse(element.querySelector("script").textContent);
  const body = element.querySelector("tbody"), heads = [...element.querySelectorAll("thead th")];
  const filter = element.querySelector("input"), status = element.querySelector("[role=status]");
  let chosen = rows, page = 0, by = null, down = false;

  const show = () => {
    const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
    page = Math.min(Math.max(page, 0), last);
    body.replaceChildren(...chosen.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
      const line = document.createElement("tr");
      row.forEach((cell, index) => {
        const box = document.createElement(index ? "td" : "th");
        if (!index) box.scope = "row";
        box.textContent = rounded(cell);
        line.append(box);
      });
      return line;
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
