// Sorting, filtering and copying. Without this file every page is complete; with it, a view is a link:
// the fragment holds "table.sort", "table.q" and "table.<filter>".
"use strict";

const live = document.getElementById("live");
const say = (text) => { live.textContent = text; };
const fragment = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

function remember(name, value) {
  const state = fragment();
  if (value) state.set(name, value); else state.delete(name);
  const text = state.toString();
  history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
}

/* A cell's key: its number, else its text; null if it has nothing to sort by. */
function key(row, column, numeric) {
  const cell = row.cells[column];
  if (numeric) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  const text = cell.textContent.trim();
  return text === "" || text === "–" ? null : text;
}

function sort(table, column, direction, announce) {
  const heads = table.tHead.rows[0].cells;
  const numeric = heads[column].dataset.kind === "number";
  const sign = direction === "descending" ? -1 : 1;
  const words = new Intl.Collator("en", { numeric: true });
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, column, numeric), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last both ways
    return sign * (numeric ? a - b : words.compare(a, b));
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", direction);
  if (announce) say(`sorted by ${heads[column].textContent.trim()}, ${direction}`);
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.kind === "number" && column > 0 ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      const direction = head.getAttribute("aria-sort") === first ? other : first;
      sort(table, column, direction, true);
      remember(`${table.id}.sort`, `${column}.${direction}`);
    });
  });
  const [column, direction] = (fragment().get(`${table.id}.sort`) || "").split(".");
  if (direction && table.tHead.rows[0].cells[column]) sort(table, Number(column), direction === "descending" ? direction : "ascending", false);
}

function labelled(text, control) {
  const label = document.createElement("label");
  label.append(text, control);
  return label;
}

function makeFilterable(table) {
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells];
  const bar = document.createElement("div");
  bar.className = "controls";
  const search = document.createElement("input");
  search.type = "search";
  search.value = fragment().get(`${table.id}.q`) || "";
  bar.append(labelled(table.dataset.search, search));
  const selects = heads.flatMap((head, column) => {
    if (!head.dataset.filter) return [];
    const values = [...new Set(rows.map((row) => row.cells[column].textContent.trim()))].sort();
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...values.map((value) => new Option(value || "none", value)));
    const name = `${table.id}.${head.dataset.filter}`;
    if (values.includes(fragment().get(name))) select.value = fragment().get(name);
    bar.append(labelled(head.dataset.filter, select));
    return [{ select, column, name }];
  });
  const output = document.createElement("output");
  bar.append(output);
  const texts = new Map(rows.map((row) => [row, row.cells.length ? row.textContent.toLowerCase() : ""]));

  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word))
        && selects.every(({ select, column }) => !select.value || row.cells[column].textContent.trim() === select.value);
      row.hidden = !fits;
      shown += fits;
    }
    output.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
    remember(`${table.id}.q`, search.value);
    for (const { select, name } of selects) remember(name, select.value);
  }
  bar.addEventListener("input", apply);
  table.closest(".region").before(bar);
  if (search.value || selects.some(({ select }) => select.value)) apply();
}

function makeCopyable(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const code = block.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      say("copied");
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // no permission: the text is selected instead
    }
  });
  block.append(button);
}

/* Radio buttons filter by the style sheet alone; here a choice becomes part of the link. */
function makeLinkable(filters) {
  for (const [name, value] of fragment()) {
    const chosen = [...filters.querySelectorAll("input")].find((input) => input.name === name && input.value === value);
    if (chosen) chosen.checked = true;
  }
  filters.addEventListener("change", (event) => remember(event.target.name, event.target.value));
}

document.querySelectorAll(".filters").forEach(makeLinkable);
document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("table[data-search]").forEach(makeFilterable);
document.querySelectorAll(".command").forEach(makeCopyable);

// One menu at a time; it closes when the focus or a click leaves it, and by Escape.
const menus = [...document.querySelectorAll(".menu details")];
const closeAll = (event) => menus.forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
addEventListener("click", closeAll);
addEventListener("focusin", closeAll);
addEventListener("keydown", (event) => {
  if (event.key === "Escape") menus.filter((menu) => menu.open).forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
});

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
