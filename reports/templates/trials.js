"use strict";
// Long tables are sorted, filtered and paged from the rows stored in the page.
const PAGE = 100;
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
// A column of numbers is filtered by one of them, or by < or > and a bound; any other by a part of its text.
const fits = (cell, wanted) => {
  if (typeof cell !== "number") return text(cell).toLowerCase().includes(wanted);
  const [, sign, bound] = wanted.match(/^([<>])(.*)$/) ?? [];
  if (sign) return sign === "<" ? cell < Number(bound) : cell > Number(bound);
  return cell === Number(wanted) || rounded(cell) === wanted;
};
const literal = (shown) => shown.replace(/&/g, "&amp;").replace(/</g, "&lt;");  // plotly reads tags and entities
const LINES = 24, WIDTH = 60;
// Which trials are marked is said wherever the reader is.
const note = document.querySelector(".marked-trials");
const announce = (element, trials, clear) => {
  note.hidden = !trials.length;
  const link = made("a", "see the table", { href: `#${element.closest("article").id}` });
  const button = made("button", "Unmark", { type: "button", onclick: clear });
  note.replaceChildren(`Marked: trial ${trials.map((trial) => rounded(trial)).join(" and trial ")}; `, link, " ", button);
};
for (const element of document.querySelectorAll(".browsed")) {
  const { columns, rows, commands } = JSON.parse(element.querySelector("script").textContent);
  const body = element.querySelector("tbody"), heads = [...element.querySelectorAll("thead th")];
  const filter = element.querySelector(".controls input"), limits = [...element.querySelectorAll("thead input")];
  const status = element.querySelector("[role=status]");
  const compared = element.querySelector(".compared");
  const byTrial = new Map(rows.map((row) => [row[0], row])), descriptions = new Map();
  let chosen = rows, page = 0, by = null, down = false, picked = [], brushed = null;

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
    redraw(table);
    announce(element, picked.map((row) => row[0]), () => { while (picked.length) pick(picked[0]); });
  };
  // What a point of a figure is: the row of its trial.
  const describe = (trial) => {
    if (!descriptions.has(trial)) {
      const cells = byTrial.get(trial) ?? [trial];
      const known = cells.map((cell, index) => [columns[index], rounded(cell)]).filter(([, shown]) => shown !== "");
      const found = known.map(([name, shown]) => literal(`${name}: ${shown.length > WIDTH ? `${shown.slice(0, WIDTH)} …` : shown}`));
      descriptions.set(trial, [...found.slice(0, LINES), ...(found.length > LINES ? ["…"] : [])].join("<br>"));
    }
    return descriptions.get(trial);
  };
  const table = {
    describe,
    picked: () => picked.map((row) => row[0]),
    pick: (trial) => {
      if (!byTrial.has(trial)) return;
      pick(byTrial.get(trial));
      page = Math.max(0, Math.floor(chosen.indexOf(byTrial.get(trial)) / PAGE));
      show();
    },
    brushed: () => brushed !== null,
    brush: (trials) => {
      brushed = trials;
      arrange();
    },
  };
  const space = element.closest("[data-space]")?.dataset.space;
  if (space !== undefined) tables.set(space, table);

  const show = () => {
    const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
    page = Math.min(Math.max(page, 0), last);
    body.replaceChildren(...chosen.slice(page * PAGE, (page + 1) * PAGE).map((row) => {
      const shown = document.createElement("tr");
      shown.classList.toggle("picked", picked.includes(row));
      shown.addEventListener("click", ({ target }) => {
        if (!target.closest("button") && getSelection().isCollapsed) pick(row);
      });
      row.forEach((cell, index) => {
        const box = document.createElement(index ? "td" : "th");
        if (!index) box.scope = "row";
        if (!index) {
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
    const count = `${chosen.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows, page ${page + 1} of ${last + 1}`;
    status.textContent = brushed ? `${count}; selected on the axes of the parallel coordinates` : count;
  };
  const order = (one, two) => (typeof one === "number" && typeof two === "number" ? one - two : text(one).localeCompare(text(two)));
  const arrange = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = limits.map((limit) => limit.value.trim().toLowerCase());
    chosen = rows.filter((row) => (!brushed || brushed.has(row[0]))
      && wanted.every((each, index) => !each || fits(row[index], each))
      && words.every((word) => row.some((cell) => rounded(cell).toLowerCase().includes(word))));
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
  for (const input of [filter, ...limits]) input.addEventListener("input", arrange);
  element.querySelector(".clear").addEventListener("click", () => {
    for (const input of [filter, ...limits]) input.value = "";
    table.brush(null);
    redraw(table);
  });
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
