/**
 * A terminal of xterm.js as the page uses it: it draws what it is given, asks nobody anything, and answers no question that
 * stands in the bytes.
 */
import { Terminal, styledDocument } from "./vendor/xterm.js";

/** Read well at a desk. */
export const LETTERS_PX = 12.5;

const THEME = Object.freeze({
  background: "#0f1115", foreground: "#d6dae0", cursor: "#d6dae0", cursorAccent: "#0f1115", selectionBackground: "#3a4a7a",
  black: "#1d2026", red: "#ff7d78", green: "#7fd39b", yellow: "#e8c06a", blue: "#8db7ff", magenta: "#d3a4f0", cyan: "#76d0d6", white: "#d6dae0",
  brightBlack: "#8b929d", brightRed: "#ff9c98", brightGreen: "#a1e6b7", brightYellow: "#f3d58f", brightBlue: "#b1cdff", brightMagenta: "#e2c3f7", brightCyan: "#a0e3e8", brightWhite: "#ffffff",
});

/**
 * What tmux asks or sets at its terminal, and what we neither answer nor do: the size is the hub's, the page's title and
 * clipboard are the user's, mouse and focus are not reported. @type {{prefix?: string, intermediates?: string, final: string}[]}
 */
const UNANSWERED = [
  { final: "c" }, { prefix: ">", final: "c" }, { prefix: "=", final: "c" }, { final: "n" }, { prefix: "?", final: "n" },
  { prefix: ">", final: "q" }, { final: "t" }, { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" },
];
const OSC_IGNORED = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 50, 52, 104, 110, 111, 112, 133, 633, 777, 1337];
/** Private modes of which a page's terminal wants nothing: alternate screens (there is no other), mouse, focus, brackets. */
const MODES_IGNORED = new Set([47, 1047, 1049, 9, 1000, 1002, 1003, 1005, 1006, 1015, 1016, 1004, 2004]);

/** @param {{cols: number, rows: number, reader?: boolean}} options */
export function makeTerminal({ cols, rows, reader = false }) {
  const term = new Terminal({
    cols, rows, scrollback: 0, fontSize: LETTERS_PX, lineHeight: 1.25, theme: THEME, minimumContrastRatio: 4.5,
    fontFamily: '"JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    disableStdin: true, cursorBlink: false, cursorInactiveStyle: "outline", screenReaderMode: reader, documentOverride: styledDocument,
    linkHandler: { activate() {} }, macOptionIsMeta: true,
  });
  const { parser } = term;
  for (const id of UNANSWERED) parser.registerCsiHandler(id, () => true);
  for (const number of OSC_IGNORED) parser.registerOscHandler(number, () => true);
  for (const intermediates of ["$", "+"]) parser.registerDcsHandler({ intermediates, final: "q" }, () => true);
  for (const final of ["h", "l"]) {
    parser.registerCsiHandler({ prefix: "?", final }, (numbers) => numbers.every((n) => typeof n === "number" && MODES_IGNORED.has(n)));
  }
  return term;
}

/** Pixels of one cell, as it is drawn now. @param {Terminal} term */
export function cellOf(term) {
  const { width, height } = /** @type {HTMLElement} */ (term.element?.querySelector(".xterm-screen")).style;
  return { width: (Number.parseFloat(width) || 1) / term.cols, height: (Number.parseFloat(height) || 1) / term.rows };
}
