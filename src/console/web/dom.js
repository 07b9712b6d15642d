// Builds and updates the page. Text is only ever set as text, so a hostile name or note stays text.

const SVG = new Set(["svg", "rect", "line", "path"]);

/** Makes an element: el("p.soft", {title: "…"}, "text", child). False and null attributes and children are left out. */
export function el(what, attributes, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style" || name.startsWith("on")) throw new Error(`no ${name} here`);
    node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(node, child);
    else if (child instanceof Node) node.append(child);
    else if (child !== null && child !== undefined && child !== false && child !== "") node.append(String(child));
  }
}

/** Makes `old` like `fresh`, and keeps what is alike: focus, scrolling and open details survive an update. */
export function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    // What the reader has opened stays open.
    if (!fresh.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, fresh);
}

/** The same for the children alone. An element with the same data-keep belongs to a plot, and stays as it is. */
export function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  wanted.forEach((next, at) => {
    const there = old.childNodes[at];
    if (!there) old.append(next);
    else if (!isAlike(there, next)) there.replaceWith(next);
    else if (next.nodeType === Node.TEXT_NODE) { if (there.data !== next.data) there.data = next.data; }
    else if (!next.dataset?.keep) morph(there, next);
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

function isAlike(one, other) {
  return one.nodeName === other.nodeName && one.dataset?.keep === other.dataset?.keep && one.id === other.id;
}

/** A table whose rows become cards on a phone: `columns` are [name, class], `rows` are lists
 * of cells or {cells, attributes}. A card of a `brief` table has no names. */
export function table(columns, rows, empty, kind = "whole") {
  if (!rows.length) return el("p.soft", null, empty);
  const isEmpty = (it) => it === "" || it === null || it === undefined || it === false || (Array.isArray(it) && it.every(isEmpty));
  const cell = (content, at) => el("td", { class: columns[at][1], "data-is": columns[at][0] }, isEmpty(content) ? null : el("div", null, content));
  const line = (row) => {
    const { cells = row, attributes = null } = Array.isArray(row) ? {} : row;
    return el("tr", attributes, cells.map(cell));
  };
  const head = columns.map(([name, kind]) => el("th", { class: kind, scope: "col" }, name));
  return el(`table.cards.${kind}`, null, el("thead", null, el("tr", null, head)), el("tbody", null, rows.map(line)));
}
