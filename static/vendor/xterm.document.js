/**
 * The `document` that xterm.js is built with. Our content security policy lets no style element and no style attribute made
 * by a script pass (`style-src 'self'`), and xterm.js makes both: what it writes into a style element goes into a sheet of the
 * document's own instead, and a style attribute is set through the element's style object, which the policy allows.
 */
const real = globalThis.document;

/** Looks like an empty element to xterm.js; its text becomes a sheet that goes when the element goes. */
function styleElement() {
  const element = real.createElement("span");
  element.hidden = true;
  const sheet = new CSSStyleSheet();
  real.adoptedStyleSheets = [...real.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", { set: (text) => sheet.replaceSync(text), get: () => "" });
  element.remove = () => {
    real.adoptedStyleSheets = real.adoptedStyleSheets.filter((other) => other !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

function createElement(name, options) {
  if (name === "style") return styleElement();
  const element = real.createElement(name, options);
  element.setAttribute = (attribute, value) => {
    if (attribute === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, attribute, value);
  };
  return element;
}

/** A proxy, because everything but the making of elements is the page's own. */
const document = new Proxy(real, {
  get(target, name) {
    if (name === "createElement") return createElement;
    const value = Reflect.get(target, name, target);
    return typeof value === "function" ? value.bind(target) : value;
  },
  set: (target, name, value) => Reflect.set(target, name, value, target),
});

export { document };
