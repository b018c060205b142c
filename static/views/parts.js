/** Small pieces that several views share: icon, dot, avatar, modal dialog. */
import { html, useEffect, useRef } from "../vendor/ui.js";

/** @param {{name: string, size?: ""|"s"|"l"}} props */
export function Icon({ name, size = "" }) {
  return html`<svg class="ic ${size}" aria-hidden="true"><use href="/static/icons.svg#${name}" /></svg>`;
}

/** @param {{shape: string}} props */
export function Dot({ shape }) {
  return html`<i class="dot ${shape}" aria-hidden="true"></i>`;
}

const AVATAR_COLOURS = 6;
/** Chosen so that the first six voices get six colours. */
const [SPREAD, WRAP] = [15, 509];

/** @param {{name: string, id: string}} props */
export function Avatar({ name, id }) {
  let sum = 0;
  for (const letter of id) sum = (sum * SPREAD + letter.charCodeAt(0)) % WRAP;
  return html`<span class="av c${sum % AVATAR_COLOURS}" aria-hidden="true">${name.charAt(0)}</span>`;
}

/** A modal dialog; Escape and a click beside it close it. @param {{label: string, onClose: () => void, children?: any}} props */
export function Modal({ label, onClose, children }) {
  const ref = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const onClick = (event) => event.target === ref.current && onClose();
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog class="modal" ref=${ref} aria-label=${label} onClick=${onClick} onCancel=${onCancel}>
    <div class="modal-in">${children}</div>
  </dialog>`;
}
