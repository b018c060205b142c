/**
 * The quality of speech: four cards to choose from and a button that does it. Moving through the cards changes nothing,
 * because a change may mean a download of a gigabyte.
 */
import { ask } from "../notes.js";
import * as store from "../store.js";
import { actionOf, announcement, delayOf, downloadOf, failedOf, fitOf, markOf, phase, progressOf } from "../tiers.js";
import { memory } from "../sizes.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { tierName } from "../words.js";
import { Overrides } from "./fields.js";
import { Measure } from "./measure.js";
import { Icon } from "./parts.js";

/** @param {{answer: any, reload: () => Promise<any>, projects: any[]}} props */
export function Quality({ answer, reload, projects }) {
  const [choice, setChoice] = useState(null);
  const [isAsked, setAsked] = useState(false);
  const [refusal, setRefusal] = useState("");
  const attempt = useAttempt(answer);
  // On a phone the offer lies over the lower edge, where the card was that was touched.
  useEffect(() => {
    if (choice) document.querySelector(`[data-tier="${choice}"]`)?.scrollIntoView({ block: "nearest" });
  }, [choice]);
  if (!answer) return html`<section class="quality waiting" aria-busy="true"><h2>Quality</h2></section>`;
  const speech = told(answer);
  const chosen = answer.tiers.find(({ tier }) => tier === (choice ?? speech.wanted)) ?? answer.tiers.at(-1);
  // Another page may have chosen anew meanwhile: then there is no reason, and no failure.
  const own = attempt.failed && attempt.reason ? { tier: attempt.tier, reason: attempt.reason } : null;
  const failed = own ?? (answer.failed && answer.reason ? { tier: answer.failed, reason: answer.reason } : null);
  const failure = own ? failureWords(tierName(own.tier), own.reason, tierName(speech.serving)) : refusal;
  const choose = (tier) => {
    setChoice(tier);
    setAsked(false);
  };
  const use = async (tier) => {
    setAsked(false);
    setRefusal("");
    attempt.begin(tier);
    if (await ask("PUT", "/api/settings", { "speech.quality": tier }, setRefusal)) attempt.answered(await reload());
    else attempt.forget();
    setChoice(null);
  };
  const act = () => {
    if (!chosen.fits && !isAsked && chosen.tier !== speech.serving) {
      setAsked(true);
      return;
    }
    void use(chosen.tier);
  };
  return html`<section class="quality" aria-labelledby="quality">
    <h2 id="quality">Quality</h2>
    <p class="hint">Better quality hears more exactly and needs more memory and time. Agents keep running while it changes.</p>
    <${Overrides} name="speech.quality" projects=${projects} shown=${tierName} />
    <fieldset class="tiers">
      <legend class="sr">Quality of speech</legend>
      ${answer.tiers.map((tier) => html`<${Card} key=${tier.tier} tier=${tier} speech=${speech} recommended=${answer.recommendation?.tier} checked=${tier.tier === chosen.tier} failed=${failed?.tier === tier.tier ? failed.reason : ""} onChoose=${choose} />`)}
    </fieldset>
    <div class=${`act ${chosen.tier === speech.wanted ? "" : "offer"}`}>
      ${chosen.tier === speech.wanted
        ? html`<${Standing} speech=${speech} failure=${failure} onRetry=${own && (() => use(own.tier))} />`
        : html`<${Offer} tier=${chosen} isServing=${chosen.tier === speech.serving} isAsked=${isAsked} onAct=${act} onLeave=${() => choose(null)} />`}
    </div>
    <div class="sr" role="status" aria-live="polite">${announcement(speech, failure)}</div>
    <${Measure} answer=${answer} reload=${reload} />
  </section>`;
}

/** The message speech_state is newer than the answer; a hub that says less is believed by its answer. */
function told(answer) {
  return store.speech.value.wanted === undefined ? answer : store.speech.value;
}

/** @param {string} title @param {string} reason @param {string} serving */
function failureWords(title, reason, serving) {
  return `${title} could not be used. ${reason.replace(/\.$/, "")}. ${serving ? `${serving} still serves.` : ""}`;
}

/**
 * What became of the last change made here. It has failed when the hub took it up and then went back to another tier;
 * the answer of GET /api/tiers says why.
 */
function useAttempt(answer) {
  const [attempt, setAttempt] = useState({ tier: null, taken: false, failed: false });
  const { wanted } = answer ? told(answer) : { wanted: null };
  useEffect(() => {
    if (!attempt.tier || attempt.failed) return;
    if (wanted === attempt.tier) setAttempt({ ...attempt, taken: true });
    else if (attempt.taken) setAttempt({ ...attempt, failed: true });
  }, [wanted, attempt.tier]);
  return {
    tier: attempt.tier,
    failed: attempt.failed,
    reason: answer?.reason ?? "",
    begin: (tier) => setAttempt({ tier, taken: false, failed: false }),
    answered: (found) => found && setAttempt((now) => (found.wanted === now.tier ? { ...now, taken: true } : { ...now, failed: true })),
    forget: () => setAttempt({ tier: null, taken: false, failed: false }),
  };
}

/** @param {{tier: import("../tiers.js").Tier, speech: any, recommended: string, checked: boolean, failed: string, onChoose: (tier: string) => void}} props */
function Card({ tier, speech, recommended, checked, failed, onChoose }) {
  const mark = markOf(tier, speech);
  const { good, words } = fitOf(tier, recommended);
  const { value, how } = delayOf(tier);
  const id = `tier-${tier.tier}`;
  return html`<label class="tier" data-tier=${tier.tier}>
    <input type="radio" name="quality" value=${tier.tier} checked=${checked} aria-labelledby=${id} aria-describedby=${`${id}-facts`} onChange=${() => onChoose(tier.tier)} />
    <span class="tierhd"><b id=${id}>${tierName(tier.tier)}</b><span class="mark">${mark}</span></span>
    <span id=${`${id}-facts`} class="facts">
      <span class="sr">${mark ? `${mark}.` : ""}</span>
      <span class="m">${tier.model}<span class="sr">.</span></span>
      <span class="fact"><span>Delay</span> <span><b>${value}</b>, ${how}<span class="sr">.</span></span></span>
      <span class="fact"><span>Memory</span> <b>${memory(tier.memory_bytes)}<span class="sr">.</span></b></span>
      <span class="fact"><span>Download</span> <b>${downloadOf(tier)}<span class="sr">.</span></b></span>
      ${failed
        ? html`<span class="fit no failed"><${Icon} name="triangle-alert" size="s" />${failedOf(failed)}</span>`
        : html`<span class=${`fit ${good ? "" : "no"}`}><${Icon} name=${good ? "check" : "triangle-alert"} size="s" />${words}</span>`}
    </span>
  </label>`;
}

/** How the wanted quality stands. */
function Standing({ speech, failure, onRetry }) {
  const now = phase(speech);
  const { words, percent } = progressOf(speech.progress);
  const title = tierName(speech.wanted);
  const meanwhile = speech.serving && speech.serving !== speech.wanted ? `${tierName(speech.serving)} serves until it is ready.` : "";
  if (failure) {
    return html`<p class="told bad"><${Icon} name="triangle-alert" size="s" /><span>${failure}</span></p>
      ${onRetry && html`<div class="buttons"><button class="btn" data-do="retry" onClick=${onRetry}><${Icon} name="refresh-cw" size="s" />Try again</button></div>`}`;
  }
  if (now === "downloading") {
    return html`<p class="told"><b>Downloading ${title}, ${percent} %</b> <span class="hint">${words}. ${meanwhile}</span></p>
      <progress aria-label=${`Downloading ${title}`} max="100" value=${percent}></progress>`;
  }
  if (now === "switching") return html`<p class="told"><b>Starting ${title}…</b> <span class="hint">${meanwhile}</span></p><progress aria-label=${`Starting ${title}`}></progress>`;
  if (now === "serving") return html`<p class="told good"><${Icon} name="check" size="s" /><span>${title} is in use. Choose another to change it.</span></p>`;
  return html`<p class="told bad"><${Icon} name="triangle-alert" size="s" /><span>Speech is off. ${speech.reason}</span></p>`;
}

/** What the chosen card would mean, and the button that does it. */
function Offer({ tier, isServing, isAsked, onAct, onLeave }) {
  return html`<p class=${`told ${tier.fits ? "" : "bad"}`} role=${isAsked ? "alert" : undefined}>
      ${!tier.fits && html`<${Icon} name="triangle-alert" size="s" />`}
      <span>${isAsked ? `${tierName(tier.tier)} does not fit this machine and may fail to start; then what serves now goes on. ${tier.reason}` : tier.reason}</span>
    </p>
    <div class="buttons">
      <button class=${`btn ${tier.fits ? "primary" : ""}`} data-do="use" onClick=${onAct}>
        ${!tier.installed && tier.fits && html`<${Icon} name="download" size="s" />`}${actionOf(tier, isServing, isAsked)}
      </button>
      <button class="btn" data-do="leave" onClick=${onLeave}>Leave it</button>
    </div>`;
}
