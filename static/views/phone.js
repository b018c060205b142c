/** The settings' part about other devices: an https address for them, a code that lets one in, and those that are in. */
import { ask } from "../notes.js";
import * as store from "../store.js";
import { html, useCallback, useEffect, useRef, useState } from "../vendor/ui.js";
import { duration } from "../words.js";
import { Icon } from "./parts.js";

const WAYS = { tailscale: "by Tailscale", proxy: "by a proxy of yours", lan: "in your network, with this hub's own certificate", tls: "by the hub itself" };
const SECOND_MS = 1000;

export function Phone() {
  const [phone, setPhone] = useState(null);
  const [devices, setDevices] = useState(null);
  const [fault, setFault] = useState("");
  const isOnline = store.link.value === "online";
  const told = store.devicesTold.value;
  const load = useCallback(async () => {
    const found = await ask("GET", "/api/phone", undefined, setFault);
    if (found) setPhone(found);
  }, []);
  useEffect(() => {
    if (isOnline) void load();
  }, [isOnline]);
  useEffect(() => {
    if (isOnline) void ask("GET", "/api/devices", undefined, setFault).then((found) => found && setDevices(found));
  }, [isOnline, told]);
  const take = async (body) => {
    setFault("");
    const found = await ask("POST", "/api/phone", body, setFault);
    if (!found) return;
    setPhone(found);
    settleFocus();
  };
  return html`<section class="card phone" aria-labelledby="phone" aria-busy=${!phone && !fault}>
    <h2 id="phone">Phone and other devices</h2>
    <p class="hint">Browsers give the microphone to a page from another machine over https only.</p>
    ${fault && html`<p class="refusal" role="alert">${fault}</p>`}
    ${phone && (phone.url ? html`<${Address} key=${phone.url} phone=${phone} devices=${devices} take=${take} />` : html`<${Ways} phone=${phone} take=${take} />`)}
    ${devices && html`<${Devices} devices=${devices} setFault=${setFault} />`}
  </section>`;
}

/** What was pressed is gone with what it did: the focus goes on to the next thing to do, not to the page's beginning. */
function settleFocus() {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector(".phone :is([data-do=pair], [data-do=lan], #public-url)")?.focus();
  });
}

/** The address there is, and pairing by it. */
function Address({ phone, devices, take }) {
  const [code, setCode] = useState(null);
  const [fault, setFault] = useState("");
  const known = useRef(new Set());
  const newcomer = code && devices?.find(({ id }) => !known.current.has(id));
  const pair = async () => {
    setFault("");
    known.current = new Set(devices?.map(({ id }) => id));
    const made = await ask("POST", "/api/phone/code", {}, setFault);
    if (made) setCode({ ...made, until: Date.now() + made.seconds * SECOND_MS });
  };
  const hide = () => {
    setCode(null);
    settleFocus();
  };
  return html`<div class="rows">
    <div class="row2">
      <div class="t"><b class="url">${phone.url}</b><p class="hint">Open ${WAYS[phone.way]}.</p>
        ${phone.way === "tailscale" && html`<p class="hint">Tailscale must run on the phone, too.</p>`}</div>
      <div class="control">
        <button class="btn" data-do="close-ways" onClick=${() => take({ way: "off" })}>Close it</button>
        <button class="btn primary" data-do="pair" onClick=${pair}><${Icon} name="plus" size="s" />Pair a device</button>
      </div>
    </div>
    ${fault && html`<p class="refusal" role="alert">${fault}</p>`}
    ${code && !newcomer && html`<${Code} key=${code.code} code=${code} lan=${phone.lan} again=${pair} done=${hide} />`}
    <p class=${newcomer ? "told good" : "sr"} role="status">${newcomer ? html`<${Icon} name="check" size="s" /><span>${newcomer.name} is in.</span>` : code && `Code ${[...code.code.replace("-", "")].join(" ")}`}</p>
  </div>`;
}

/** @param {{code: any, lan: any, again: () => void, done: () => void}} props */
function Code({ code, lan, again, done }) {
  const [left, setLeft] = useState(code.until - Date.now());
  useEffect(() => {
    const timer = setInterval(() => setLeft(code.until - Date.now()), SECOND_MS);
    return () => clearInterval(timer);
  }, []);
  if (left <= 0) {
    return html`<div class="paircode"><p role="status">The code is over.</p><button class="btn" onClick=${again}>New code</button></div>`;
  }
  return html`${code.certificate_svg && html`<${Trust} code=${code} lan=${lan} />`}
    <div class="paircode" data-code=${code.code}>
      <img class="qr" src=${picture(code.svg)} alt="QR code with the address and the code" />
      <div>
        <p>${code.certificate_svg ? "Then scan" : "Scan"} this with the phone's camera, or open the address there and type</p>
        <p class="code">${code.code}</p>
        <p class="hint">It lets one device in, once, for another ${duration(left / SECOND_MS)}.</p>
        <button class="btn" onClick=${done}>Hide it</button>
      </div>
    </div>`;
}

/** An authority of our own is believed by no device that was not told to. @param {{code: any, lan: any}} props */
function Trust({ code, lan }) {
  return html`<details class="trust">
    <summary>First, once for each device: let it trust this hub's certificate</summary>
    <div class="paircode">
      <img class="qr" src=${picture(code.certificate_svg)} alt="QR code with the address of the certificate" />
      <div>
        <p>Scan this, pass the warning this one time, and install what is offered. Or bring <a href="/ca.crt" download="clawmux-ca.crt">the certificate</a> over yourself.</p>
        <ul>
          <li>iPhone, iPad: Settings, General, VPN & Device Management: install it. Then General, About, Certificate Trust Settings: switch it on.</li>
          <li>Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate.</li>
          <li>Firefox: Settings, Privacy & Security, View Certificates, Authorities, Import. Other browsers: the system's own store.</li>
        </ul>
        <p class="hint">It vouches for private addresses only. SHA-256 fingerprint: <code>${lan.fingerprint}</code></p>
      </div>
    </div>
  </details>`;
}

/** Untrusted or not, a picture runs nothing. @param {string} svg */
function picture(svg) {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** Where there is no address yet. @param {{phone: any, take: (body: any) => Promise<void>}} props */
function Ways({ phone, take }) {
  const { tailscale, lan } = phone;
  const [url, setUrl] = useState("");
  const [busy, setBusy] = useState("");
  const go = async (body) => {
    setBusy(body.way);
    await take(body);
    setBusy("");
  };
  const host = lan.suggested || lan.host;
  return html`<div class="rows">
    <${Way} title="Tailscale" words=${tailscale.state === "up" ? `Shows the page to your own devices as https://${tailscale.name}. That name goes into the public log of certificates.` : `${tailscale.reason} ${tailscale.remedy}`}>
      ${tailscale.state === "up" && html`<button class="btn primary" data-do="tailscale" disabled=${busy} onClick=${() => go({ way: "tailscale" })}>${busy === "tailscale" ? "Asking Tailscale…" : "Use Tailscale"}</button>`}
    <//>
    <${Way} title="In your network" words=${lan.fault || (host ? `At https://${host}, with a certificate that each device must be told to trust once.` : "This machine has no private address now.")}>
      ${host && html`<button class="btn" data-do="lan" disabled=${busy} onClick=${() => go({ way: "lan", host })}>Open it in this network</button>`}
    <//>
    <${Way} title="A proxy of yours" label="public-url" words="An https proxy that leads to this hub, under its own address.">
      <form class="proxyform" onSubmit=${(event) => {
        event.preventDefault();
        void go({ way: "proxy", url: url.trim() });
      }}>
        <input id="public-url" type="text" inputmode="url" placeholder="https://voice.example" value=${url} spellcheck=${false} autocomplete="off" autocapitalize="none" onInput=${({ target }) => setUrl(target.value)} />
        <button class="btn" data-do="proxy" disabled=${busy || !url.trim()}>Use it</button>
      </form>
    <//>
  </div>`;
}

/** @param {{title: string, words: string, label?: string, children?: any}} props */
function Way({ title, words, label, children }) {
  return html`<div class="row2"><div class="t">${label ? html`<label for=${label}>${title}</label>` : html`<b>${title}</b>`}<p class="hint">${words}</p></div><div class="control">${children}</div></div>`;
}

/** @param {{devices: any[], setFault: (words: string) => void}} props */
function Devices({ devices, setFault }) {
  const [asked, setAsked] = useState("");
  const remove = async (device) => {
    if (asked !== device.id) return setAsked(device.id);
    setAsked("");
    if (!(await ask("DELETE", `/api/devices/${device.id}`, undefined, setFault))) return;
    if (device.own) store.link.value = "signed_out";
    else settleFocus();
  };
  return html`<h3>Devices that are in</h3>
    <ul class="rows devices">
      ${devices.map((device) => html`<li class="row2" key=${device.id} data-device=${device.name}>
        <div class="t"><b>${device.name}</b>${device.own && html`<span class="tag">this one</span>`}
          <p class="hint">${seenWords(device)}</p></div>
        <div class="control">
          <button class=${`btn ${asked === device.id ? "danger" : ""}`} data-do="revoke" onClick=${() => remove(device)} onBlur=${() => setAsked("")}>${wordsOf(device, asked === device.id)}<span class="sr"> ${device.name}</span></button>
        </div>
      </li>`)}
    </ul>`;
}

function wordsOf(device, isAsked) {
  if (isAsked) return device.own ? "Really sign out" : "Really remove";
  return device.own ? "Sign out" : "Remove";
}

function seenWords({ connected, own, seen, address }) {
  const when = connected || own ? "Connected now" : `Last seen ${duration(store.now.value - seen)} ago`;
  return address ? `${when}, at ${address}.` : `${when}.`;
}
