/** The drawer over the dock with the agent's terminal: read only until the user takes the keyboard; on phones with a row of keys. */
import { clientId, loadTerminal, saveTerminal } from "../device.js";
import { tell } from "../notes.js";
import { closeTerminal } from "../route.js";
import { Screen } from "../screen.js";
import * as store from "../store.js";
import { terminalLink } from "../talk.js";
import { TerminalLine } from "../terminal.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../vendor/ui.js";
import { folderName, nameOf } from "../words.js";
import { Icon } from "./parts.js";

/** As many bytes the hub takes at once. */
const PASTE_MOST_CHARACTERS = 32768;

/** Loaded with the drawer, before it is drawn. */
await Promise.all(["/static/vendor/xterm.css", "/static/terminal.css"].map(style));

/** @param {string} href */
function style(href) {
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  return new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = reject;
    document.head.append(link);
  });
}

/** What phones have no keys for. The hub spells the arrows as the agent's program wants them. @type {[string, string, string][]} */
const KEYS = [
  ["Esc", "Esc", "\x1b"],
  ["Tab", "Tab", "\t"],
  ["⇧Tab", "Shift+Tab", "\x1b[Z"],
  ["Ctrl+C", "Ctrl+C", "\x03"],
  ["Enter", "Enter", "\r"],
  ["←", "Left", "\x1b[D"],
  ["↑", "Up", "\x1b[A"],
  ["↓", "Down", "\x1b[B"],
  ["→", "Right", "\x1b[C"],
];

export function Terminal() {
  const session = store.current.value;
  useEffect(() => {
    if (!session) closeTerminal();
  }, [session]);
  return session && html`<${Drawer} key=${session.id} session=${session} />`;
}

/** @param {{session: any}} props */
function Drawer({ session }) {
  const [shown, setShown] = useState(/** @type {any} */ (null));
  const [wishes, setWishes] = useState(loadTerminal);
  const parts = useRef(/** @type {{line: TerminalLine, screen: Screen}|null} */ (null));
  /** How many lines from before were found; null while nobody has asked. */
  const [earlier, setEarlier] = useState(/** @type {number|null} */ (null));
  const [isControl, setControl] = useState(false);
  const [scroller, past, holder, take] = [useRef(null), useRef(null), useRef(null), useRef(null)];
  const name = nameOf(session);

  useEffect(() => {
    const places = { scroller: scroller.current, past: past.current, holder: holder.current };
    const on = { leave: () => take.current?.focus(), typed: () => setControl(false), earlier: setEarlier };
    parts.current = connect(session.id, places, wishes.reader, setShown, on);
    scroller.current.focus({ preventScroll: true });
    return () => {
      parts.current?.line.close();
      parts.current?.screen.end();
      terminalLink.leave();
      store.inTerminal.value = false;
      parts.current = null;
    };
  }, []);
  useEffect(() => {
    parts.current?.screen.fit(wishes.fit);
    parts.current?.screen.readOut(wishes.reader);
    saveTerminal(wishes);
  }, [wishes]);
  useEffect(() => sheetHeight(), []);

  const isMine = shown?.mine ?? false;
  // At once: the next key must not press the button that was just pressed.
  useLayoutEffect(() => {
    parts.current?.screen.take(isMine);
    store.inTerminal.value = isMine;
    if (shown) store.spokenStatus.value = isMine ? `You type into ${name}` : shown.why || "The terminal is read only";
  }, [isMine]);
  const press = (keys) => parts.current?.screen.press(keys);
  const control = () => {
    parts.current?.screen.holdControl(!isControl);
    setControl(!isControl);
  };
  const onKeyDown = (event) => {
    if (isMine && scroller.current.contains(event.target)) return; // theirs go to the agent
    if (event.key === "Escape" || (event.key === "`" && event.target === scroller.current)) closeTerminal();
  };
  const onPaste = (event) => {
    event.preventDefault();
    event.stopPropagation();
    const text = event.clipboardData?.getData("text/plain") ?? "";
    // More than the hub reads in one message would end the connection, and the keyboard with it.
    if (text.length > PASTE_MOST_CHARACTERS) tell("That is too long to be pasted. Put it into a file", "warn");
    else parts.current?.line.paste(text);
  };

  return html`<section class="termbox" id="terminal" aria-label=${`Terminal of ${name}`} data-state=${shown?.state ?? "opening"} data-mine=${isMine ? "" : undefined} onKeyDown=${onKeyDown}>
    <header class="termhd">
      <${Icon} name="terminal" size="s" /><b>${session.name || session.id}</b>
      <span class="termst">${stateWords(shown, session, name)}</span>
      <label class="termread"><input type="checkbox" checked=${wishes.reader} onChange=${(event) => setWishes({ ...wishes, reader: event.target.checked })} />For screen readers</label>
      <button class="ibtn" data-do="fit" aria-pressed=${wishes.fit} aria-label="Fit the whole width" title="Fit the whole width" onClick=${() => setWishes({ ...wishes, fit: !wishes.fit })}><${Icon} name="move-horizontal" /></button>
      <button class="btn" ref=${take} data-do="keyboard" aria-pressed=${isMine} disabled=${shown?.state !== "open"} title=${isMine ? "Give the keyboard back (Ctrl+Shift+Esc, Enter)" : `Type into ${name}`} onClick=${() => parts.current?.line.take(!isMine)}>
        <${Icon} name="keyboard" /><span>${isMine ? "Give back" : "Take keyboard"}<span class="sr"> control</span></span>
      </button>
      <button class="ibtn" aria-label="Close terminal" title="Close terminal" onClick=${closeTerminal}><${Icon} name="x" /></button>
    </header>
    ${isMine && html`<p class="termnote">What you type goes straight to ${name}; messages to it wait. <span><kbd>Ctrl</kbd> <kbd>Shift</kbd> <kbd>Esc</kbd> leaves the terminal.</span></p>`}
    <div class="termscroll" ref=${scroller} tabindex="0" role="region" aria-label=${`Screen of ${name}`} onPasteCapture=${onPaste}>
      <button class="link termearlier" onClick=${() => parts.current?.line.lookBack()}>${earlier === 0 ? "No earlier lines" : "Show earlier lines"}</button>
      <div class="termpast" ref=${past}></div>
      <div class="termhold" ref=${holder}></div>
    </div>
    ${shown?.state === "closed" && html`<p class="termover" role="alert"><span>${shown.words}</span><button class="btn" onClick=${() => parts.current?.line.open()}>Open again</button></p>`}
    ${isMine && html`<div class="termkeys" role="group" aria-label="Keys">
      ${KEYS.map(([face, words, keys]) => html`<button key=${words} aria-label=${words} onPointerDown=${(event) => event.preventDefault()} onClick=${() => press(keys)}>${face}</button>`)}
      <button aria-label="Ctrl, for the next key" aria-pressed=${isControl} onPointerDown=${(event) => event.preventDefault()} onClick=${control}>Ctrl</button>
    </div>`}
  </section>`;
}

/** @param {any} shown @param {any} session @param {string} name */
function stateWords(shown, session, name) {
  if (!shown || shown.state === "opening") return store.link.value === "online" ? "opening…" : "no connection";
  if (shown.mine) return `you type into ${name}`;
  const about = shown.holder ? `read only · ${shown.holder} types` : "read only";
  return [folderName(session.dir), shown.why || about].filter(Boolean).join(" · ");
}

/**
 * @param {string} session_id @param {{scroller: HTMLElement, past: HTMLElement, holder: HTMLElement}} places @param {boolean} reader
 * @param {(shown: any) => void} changed @param {{leave: () => void, typed: () => void, earlier: (count: number) => void}} on
 */
function connect(session_id, places, reader, changed, on) {
  const onKeys = (keys) => {
    line.type(keys);
    on.typed();
  };
  const screen = new Screen(places, { onKeys, onLeave: on.leave, onTop: () => line.lookBack(), reader });
  const line = new TerminalLine(session_id, clientId, {
    send: terminalLink.send,
    sendBytes: terminalLink.sendBytes,
    reset: () => screen.reset(),
    draw: (bytes, drawn) => screen.draw(bytes, drawn),
    changed: (shown) => {
      screen.resize(shown);
      changed(shown);
    },
    earlier: (lines) => {
      screen.showPast(lines);
      on.earlier(lines.length);
    },
  });
  terminalLink.join({ message: (m) => line.receive(m), frame: (f) => line.receiveFrame(f), online: () => line.open() });
  line.open();
  return { line, screen };
}

/** On a phone the sheet ends where the on-screen keyboard begins; not every browser resizes the page for it. */
function sheetHeight() {
  const { visualViewport } = globalThis;
  if (!visualViewport) return undefined;
  const set = () => {
    document.documentElement.style.setProperty("--seen-height", `${visualViewport.height}px`);
    document.documentElement.style.setProperty("--seen-top", `${visualViewport.offsetTop}px`);
  };
  set();
  for (const name of ["resize", "scroll"]) visualViewport.addEventListener(name, set);
  return () => {
    for (const name of ["resize", "scroll"]) visualViewport.removeEventListener(name, set);
  };
}
