/**
 * Markdown as agents write it, to nodes of the page. What an agent writes is not to be trusted: marked makes HTML of it, DOMPurify
 * lets through what is on the lists below and nothing else. HTML in the text stays as written, a picture becomes a link, a link
 * leads to http, https or mailto only, and characters that turn the order of others round are made visible.
 */
import { DOMPurify, Marked } from "./vendor/markdown.js";
import { shown, undisguised } from "./words.js";

const TAGS = "p br hr em strong del code pre blockquote ul ol li h1 h2 h3 h4 h5 h6 table thead tbody tr th td a".split(" ");
const ATTRIBUTES = ["href", "start", "align", "data-info"];
const SAFE = {
  RETURN_DOM_FRAGMENT: true,
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ATTRIBUTES,
  ADD_URI_SAFE_ATTR: ["start", "align", "data-info"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text, block }) => (block ? `<p>${escaped(text)}</p>` : escaped(text)),
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    code: ({ text, lang }) => `<pre data-info="${escaped(lang ?? "")}"><code>${escaped(text)}</code></pre>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    // A line's end is a blank to whoever reads the text of the nodes.
    br: () => "<br>\n",
  },
});

/** @param {string} text @returns {DocumentFragment} */
export function written(text) {
  const html = parsed(shown(text));
  if (html === null) return asItStands(text);
  const fragment = /** @type {any} */ (DOMPurify.sanitize(html, SAFE));
  for (const [selector, decorate] of DECORATIONS) fragment.querySelectorAll(selector).forEach(decorate);
  return fragment;
}

/** @param {string} name @param {Record<string, string>} attributes @param {(string|Node)[]} children */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Quotes or lists in one another so deep that nobody has written them to be read; marked goes a step down for each. */
const TOO_DEEP = /^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])){60}/m;

/** Null for what cannot be read. @param {string} text @returns {string|null} */
function parsed(text) {
  if (TOO_DEEP.test(text)) return null;
  try {
    return /** @type {string} */ (marked.parse(text));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** @param {string} text */
function asItStands(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(element("div", { class: "plain" }, shown(text)));
  return fragment;
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

/** What is done to each node of a sort, once all of it is clean. @type {[string, (node: any) => void][]} */
const DECORATIONS = [
  ["a", decorateLink],
  ["h1, h2, h3, h4, h5, h6", decorateHeading],
  ["table", decorateTable],
  ["code", (node) => (node.textContent = undisguised(node.textContent))],
  ["pre", decorateCode],
];

/** Where a link leads is to be seen; one that leads nowhere is text. @param {HTMLAnchorElement} link */
function decorateLink(link) {
  const href = link.getAttribute("href");
  if (href === null) link.replaceWith(...link.childNodes);
  else Object.assign(link, { rel: "noopener noreferrer nofollow", target: "_blank", title: href });
}

/** The page has headings of its own, which an agent's must not come between. @param {HTMLElement} heading */
function decorateHeading(heading) {
  const line = element("p", { class: `heading ${heading.localName}` });
  line.append(...heading.childNodes);
  heading.replaceWith(line);
}

/** A wide table scrolls by itself. @param {HTMLElement} table */
function decorateTable(table) {
  const frame = element("div", { class: "tableframe", tabindex: "0", role: "group", "aria-label": "Table" });
  table.replaceWith(frame);
  frame.append(table);
}

/** @param {HTMLPreElement} pre */
function decorateCode(pre) {
  const info = pre.getAttribute("data-info") ?? "";
  pre.removeAttribute("data-info");
  const label = labelOf(info);
  for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": `Code: ${label}` })) pre.setAttribute(name, value);
  if (/\b(?:diff|patch)\b/.test(info)) colourChanges(pre.firstElementChild ?? pre);
  const head = element("div", { class: "codehd" }, element("span", { dir: "auto" }, label));
  if (navigator.clipboard) head.append(copyButton(label));
  pre.before(head);
}

/** "diff billing/tax.py", "py title=a.py", "python:a.py": the file's name where there is one, else the language. @param {string} info */
function labelOf(info) {
  const words = undisguised(info).split(/\s+|(?<=^[a-z+#]+):/).map((word) => word.replace(/^(?:title|file|filename|path)=|["'{}]/g, ""));
  return words.find((word) => /[./\\]/.test(word)) ?? (words[0] || "code");
}

/** @param {string} label */
function copyButton(label) {
  const button = element("button", { class: "btn small", "data-copy": "", "aria-label": `Copy ${label}` });
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "ic s");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${new URL("icons.svg", import.meta.url).pathname}#copy`);
  icon.append(use);
  button.append(icon, element("span", {}, "Copy"));
  return button;
}

const CHANGES = { "+": "add", "-": "del", "@": "hunk" };

/** @param {Element} code */
function colourChanges(code) {
  const lines = (code.textContent ?? "").split("\n");
  const coloured = lines.flatMap((line, i) => {
    const end = i < lines.length - 1 ? "\n" : "";
    const change = CHANGES[line[0]];
    return change ? [element("span", { class: change }, line), end] : [line + end];
  });
  code.replaceChildren(...coloured);
}

const COPIED_MS = 2000;

/** For a click anywhere in what was written: copies the code under the head whose button it was. @param {MouseEvent} event */
export async function copyCode(event) {
  const button = event.target instanceof Element && event.target.closest("[data-copy]");
  if (!button) return;
  const words = /** @type {HTMLElement} */ (button.querySelector("span"));
  try {
    await navigator.clipboard.writeText(button.parentElement?.nextElementSibling?.textContent ?? "");
    words.textContent = "Copied";
  } catch {
    words.textContent = "Not copied"; // the browser was told to keep the clipboard closed
  }
  setTimeout(() => (words.textContent = "Copy"), COPIED_MS);
}
