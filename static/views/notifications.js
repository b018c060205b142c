/** How this device tells that an agent needs you: its section of the settings. */
import { change, standing, switchOff, switchOn, tryOut, wishes } from "../notify.js";
import { html, useRef, useState } from "../vendor/ui.js";

/** @type {[string, string, string][]} kind, title, words */
const KINDS = [
  ["question", "Questions", "An agent asks something and waits for your answer."],
  ["permission", "Permissions", "An agent wants to use a tool, and may not before you allow it."],
  ["done", "Finished work", "An agent rests after it has worked for a while."],
  ["error", "Faults", "An agent cannot go on: it is logged out, or its model does not answer."],
];
const CAN_SWITCH = new Set(["off", "page", "push"]);

export function Notifications() {
  const { way, fault } = standing.value;
  const { on, kinds, words } = wishes.value;
  const isOn = on && (way === "page" || way === "push");
  // The browser may ask first: meanwhile the switch stands where the user has put it, and one turn waits for the other.
  const [turning, setTurning] = useState(/** @type {boolean|null} */ (null));
  const turns = useRef({ count: 0, last: Promise.resolve() });
  const turn = async (/** @type {boolean} */ wanted) => {
    const mine = ++turns.current.count;
    setTurning(wanted);
    const go = wanted ? switchOn : switchOff;
    // Safari asks within the tap only, so the first one waits for nothing.
    turns.current.last = (turning === null ? go() : turns.current.last.then(go)).catch(() => {});
    await turns.current.last;
    if (mine === turns.current.count) setTurning(null);
  };
  const pick = (/** @type {string} */ kind, /** @type {boolean} */ isWanted) =>
    void change({ kinds: KINDS.map(([name]) => name).filter((name) => (name === kind ? isWanted : kinds.includes(name))) });
  return html`<section class="card notifications" aria-labelledby="notifications" data-way=${way}>
    <h2 id="notifications">Notifications</h2>
    <div class="rows">
      ${CAN_SWITCH.has(way)
        ? html`<${Row} name="on" title="Notify on this device" words=${wayWords(isOn, way, fault)} on=${turning ?? isOn} turn=${turn} />`
        : html`<p class="hint" data-why=${way}>${whyNot(way)}</p>`}
      ${isOn && html`<${Row} name="words" title="Show what agents say" words=${wordsWords(way)} on=${words} turn=${(wanted) => void change({ words: wanted })} />
        <${Test} way=${way} />`}
    </div>
    <h3>Tell me of</h3>
    <p class="hint">${isOn ? "By notification, and by a sound where sound plays." : "By a sound, on the device that plays it."} Never while you look at that agent's conversation, on any device.</p>
    <div class="rows">
      ${KINDS.map(([kind, title, hint]) => html`<${Row} key=${kind} name=${kind} title=${title} words=${hint} on=${kinds.includes(kind)} turn=${(wanted) => pick(kind, wanted)} />`)}
    </div>
  </section>`;
}

/** @param {{name: string, title: string, words: any, on: boolean, turn: (wanted: boolean) => void}} props */
function Row({ name, title, words, on, turn }) {
  const id = `notify-${name}`;
  return html`<div class="row2">
    <div class="t"><label for=${id}>${title}</label><p class="hint" id=${`${id}-help`}>${words}</p></div>
    <div class="control"><input class="sw" type="checkbox" role="switch" id=${id} aria-describedby=${`${id}-help`} checked=${on} onChange=${({ target }) => turn(target.checked)} /></div>
  </div>`;
}

/** @param {{way: string}} props */
function Test({ way }) {
  const [said, setSaid] = useState("");
  const press = async () => {
    setSaid("");
    try {
      const { pushed } = await tryOut();
      setSaid(pushed ? "It is on its way, by your browser's push service." : "This page shows it.");
    } catch (error) {
      setSaid(error instanceof Error ? error.message : "The hub does not answer.");
    }
  };
  return html`<div class="row2">
    <div class="t"><b>Try it</b><p class="hint" role="status">${said || (way === "push" ? "It goes the way that a real one goes." : "This browser shows it by itself.")}</p></div>
    <div class="control"><button class="btn" data-do="test-notification" onClick=${press}>Send a test notification</button></div>
  </div>`;
}

/** @param {boolean} isOn @param {string} way @param {string} fault */
function wayWords(isOn, way, fault) {
  if (!isOn) return "When an agent needs you and you look elsewhere. Your browser asks whether it may.";
  if (way === "push") return "On, also while no page is open: by your browser's push service, which cannot read them.";
  return html`On while a page of ClawMux is open. This browser gives no push messages here${fault && html`: <span class="reason">${fault}</span>`}${fault.endsWith(".") ? "" : "."}`;
}

/** @param {string} way */
function wordsWords(way) {
  const where = "They stand where notifications stand, such as on a locked screen.";
  return way === "push" ? `Their words go along, encrypted for this device. ${where}` : where;
}

/** @param {string} way */
function whyNot(way) {
  if (way === "insecure") return html`Browsers notify from pages with a secure address only. On the hub's computer run <code>clawmux phone</code> and open the address it shows.`;
  if (way === "homescreen") return "On an iPhone or iPad only an app on the home screen can notify: tap Share, then Add to Home Screen, and open ClawMux there.";
  if (way === "denied") return "The browser was told to show no notifications from this address. Allow them beside the address, then open this page anew.";
  return "This browser knows no notifications.";
}
