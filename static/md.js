/**
 * Markdown as agents write it, to a tree of plain objects: no HTML is ever made, so an agent's text cannot become markup.
 * Knows paragraphs, headings, lists, fenced code, `code`, **bold**; everything else stays as written.
 */

/**
 * @typedef {{kind: "p"|"h", spans: Span[]} | {kind: "list", ordered: boolean, start: number, items: Span[][]} | {kind: "code", info: string, text: string}} Block
 * @typedef {{kind: "text"|"code"|"bold", text: string}} Span
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
const BULLET = /^\s{0,3}[-*+]\s+(.*)$/;
const NUMBER = /^\s{0,3}(\d{1,9})[.)]\s+(.*)$/;

/** @param {string} text @returns {Block[]} */
export function parse(text) {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    const read = [readFence, readHeading, readList, readParagraph].find((reader) => reader.matches(lines[at]));
    if (!read) at += 1;
    else at = read(lines, at, blocks);
  }
  return blocks;
}

/** An unclosed fence runs to the end. */
function readFence(lines, at, blocks) {
  const [, mark, info] = FENCE.exec(lines[at]);
  let end = at + 1;
  while (end < lines.length && !(lines[end].trim().startsWith(mark) && !lines[end].trim().replaceAll(mark[0], ""))) end += 1;
  blocks.push({ kind: "code", info: info.trim(), text: lines.slice(at + 1, end).join("\n") });
  return end + 1;
}
readFence.matches = (line) => FENCE.test(line);

function readHeading(lines, at, blocks) {
  blocks.push({ kind: "h", spans: spans(HEADING.exec(lines[at])[1]) });
  return at + 1;
}
readHeading.matches = (line) => HEADING.test(line);

function readList(lines, at, blocks) {
  const ordered = !BULLET.test(lines[at]);
  const pattern = ordered ? NUMBER : BULLET;
  const start = ordered ? Number(NUMBER.exec(lines[at])[1]) : 1;
  const items = [];
  let end = at;
  for (; end < lines.length; end += 1) {
    const match = pattern.exec(lines[end]);
    if (match) items.push(match.at(-1));
    else if (lines[end].trim() && /^\s{2,}/.test(lines[end])) items[items.length - 1] += ` ${lines[end].trim()}`;
    else break;
  }
  blocks.push({ kind: "list", ordered, start, items: items.map(spans) });
  return end;
}
readList.matches = (line) => BULLET.test(line) || NUMBER.test(line);

function readParagraph(lines, at, blocks) {
  let end = at + 1;
  const isPlain = (line) => line.trim() && ![readFence, readHeading, readList].some((reader) => reader.matches(line));
  while (end < lines.length && isPlain(lines[end])) end += 1;
  blocks.push({ kind: "p", spans: spans(lines.slice(at, end).join("\n")) });
  return end;
}
readParagraph.matches = (line) => line.trim() !== "";

/** @param {string} text @returns {Span[]} */
function spans(text) {
  const found = [];
  let rest = 0;
  for (const match of text.matchAll(/`([^`\n]+)`|\*\*([^*\n]+)\*\*/g)) {
    if (match.index > rest) found.push({ kind: "text", text: text.slice(rest, match.index) });
    found.push(match[1] === undefined ? { kind: "bold", text: match[2] } : { kind: "code", text: match[1] });
    rest = match.index + match[0].length;
  }
  if (rest < text.length) found.push({ kind: "text", text: text.slice(rest) });
  return found;
}
