/** The tab with what the agent has changed in its folder: files with their counts, and the lines of those that are opened. */
import { follow, listed, load, opened, toggle } from "../changes.js";
import * as store from "../store.js";
import { html, useEffect, useState } from "../vendor/ui.js";
import { folderName, nameOf, undisguised } from "../words.js";
import { Icon } from "./parts.js";

/** More are drawn when they are asked for. */
const LINES_AT_ONCE = 400;
/** @type {Record<string, string>} */
const WORDS = { added: "new", modified: "", deleted: "deleted", renamed: "renamed", copied: "copied", retyped: "other type", conflicted: "conflict", untracked: "untracked" };
const TONES = { added: "ok", untracked: "ok", deleted: "bad", conflicted: "bad" };
const KINDS = { "+": "add", "-": "del", "@": "hunk", "\\": "remark" };

export function Changes() {
  useEffect(follow, []);
  const session = store.current.value;
  if (!session) return html`<p class="hint nothing">Changes of an agent's folder are shown here. There is no agent yet.</p>`;
  const { of, repository, branch, why, files, more, isLoading, isLoaded, fault } = listed.value;
  const isHere = of === session.id;
  return html`<div class="cbox">
    <div class="chead">
      <p><b><bdi>${folderName(isHere && repository ? repository : session.dir)}</bdi></b>${isHere && branch && html` <span class="hint">on <bdi>${undisguised(branch)}</bdi></span>`}
        <span class="hint">${isHere && isLoaded ? totals(files, more) : ""}</span></p>
      <button class="ibtn" aria-label="Look again" title="Look again" disabled=${isLoading} onClick=${load}><${Icon} name="refresh-cw" size="s" /></button>
    </div>
    <div class="cscroll" role="region" aria-label=${`Changes of ${nameOf(session)}`} aria-busy=${isLoading || !(isLoaded || fault)} tabindex="0">
      ${fault && html`<p class="refusal" role="alert">${fault} <button class="link" onClick=${load}>Try again</button></p>`}
      ${isHere && isLoaded && !files.length && html`<p class="hint nothing">${why || "Nothing has changed since the last commit."}</p>`}
      <ul class="cfiles">${isHere && files.map((file) => html`<${File} key=${file.key} file=${file} />`)}</ul>
      ${isHere && more && html`<p class="hint nothing">More files have changed than are listed here.</p>`}
    </div>
  </div>`;
}

/** " · 3 files +12 −4" @param {import("../changes.js").ChangedFile[]} files @param {boolean} more */
function totals(files, more) {
  if (!files.length) return "";
  const sum = (name) => files.reduce((total, file) => total + (file[name] ?? 0), 0);
  const count = files.length === 1 ? "1 file" : `${files.length}${more ? " and more" : ""} files`;
  return ` · ${count} +${sum("added")} −${sum("removed")}`;
}

/** @param {{file: import("../changes.js").ChangedFile}} props */
function File({ file }) {
  const { key, path, before, change, staged, added, removed } = file;
  const shown = opened.value[key];
  const at = path.lastIndexOf("/") + 1;
  const words = [WORDS[change] ?? change, staged && "staged"].filter(Boolean);
  return html`<li data-change=${change}>
    <button class="crow" aria-expanded=${Boolean(shown)} onClick=${() => toggle(file)}>
      <${Icon} name="chevron-down" size="s" />
      <span class="cpath"><bdi><span class="dir">${undisguised(path.slice(0, at))}</span>${undisguised(path.slice(at))}</bdi>${before && html` <small>was <bdi>${undisguised(before)}</bdi></small>`}</span>
      ${words.map((word) => html`<span key=${word} class="tag ${TONES[change] ?? ""}">${word}</span>`)}
      <span class="counts">${added > 0 && html`<span class="add">+${added}</span>`}${" "}${removed > 0 && html`<span class="del">−${removed}</span>`}</span>
    </button>
    ${shown && html`<${Lines} shown=${shown} file=${file} />`}
  </li>`;
}

/** @param {{shown: {lines: any[]|null, cut: boolean, fault: string}, file: import("../changes.js").ChangedFile}} props */
function Lines({ shown: { lines, cut, fault }, file: { path, change, added } }) {
  const [most, setMost] = useState(LINES_AT_ONCE);
  if (fault) return html`<p class="refusal" role="alert">${fault}</p>`;
  if (!lines) return html`<p class="hint" role="status">Loading…</p>`;
  if (!lines.length) return html`<p class="hint">${added === null && change !== "untracked" ? "Not a text: its lines are not shown." : "No line of it has changed."}</p>`;
  return html`<div class="patch" role="region" aria-label=${`Lines of ${undisguised(path)}`} tabindex="0"><div>
      ${lines.slice(0, most).map((line, i) => html`<${Line} key=${i} line=${line} />`)}
    </div></div>
    ${lines.length > most && html`<button class="btn small" onClick=${() => setMost(Infinity)}>Show all ${lines.length} lines</button>`}
    ${cut && lines.length <= most && html`<p class="hint">The rest is left out: it is too long.</p>`}`;
}

/** @param {{line: [string, number, number, string]}} props */
function Line({ line: [kind, old, now, text] }) {
  if (kind === "@") return html`<div class="hunk"><span class="no">…</span><code>${now ? `line ${now}` : ""} ${undisguised(text)}</code></div>`;
  return html`<div class=${KINDS[kind] ?? ""}><span class="no">${now || old || ""}</span><code>${kind}${undisguised(text)}</code></div>`;
}
