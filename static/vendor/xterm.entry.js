export { Terminal } from "@xterm/xterm";
export { document as styledDocument } from "./xterm.document.js";
