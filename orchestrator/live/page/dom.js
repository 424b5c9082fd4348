// Elements and numbers. Text is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const THIN = "\u202f";
export const NONE = "–";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children);
  return node;
}

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

// A number with its unit, or a dash where there is none.
export function quantity(value, digits, unit) {
  if (value === null || value === undefined) return NONE;
  const text = value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");
  return unit ? `${text}${THIN}${unit}` : text;
}

export function percent(share, digits = 1) {
  return share === null || share === undefined ? NONE : quantity(100 * share, digits, "%");
}

// A value of a metric, as the status describes the metric.
export function printed(value, { scale, digits, unit }) {
  return value === null || value === undefined ? NONE : quantity(scale * value, digits, unit);
}

export function count(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, THIN);
}

export function duration(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part, index) => String(part).padStart(index ? 2 : 1, "0")).join(":");
}
