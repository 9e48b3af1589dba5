// The latencies of the last requests, a bar each, and the line of their median.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = 60;
const recent = []; // milliseconds, the newest last

export function milliseconds(value) {
  if (value >= 10000) return (value / 1000).toFixed(1) + "\u00a0s";
  const digits = Number.isInteger(value) || value >= 10 ? 0 : value >= 1 ? 1 : 2;
  return value.toFixed(digits) + "\u00a0ms";
}

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Share of the chart's height; one request that took very long leaves the others to be seen. */
const scale = (latency, median, most) => Math.min(1, latency / Math.min(most, 4 * median));

/** Adds one latency and draws them all; the caption says in words what the picture shows. */
export function addLatency(value, svg, caption) {
  recent.push(value);
  if (recent.length > KEPT) recent.shift();
  const sorted = [...recent].sort((a, b) => a - b);
  const [median, most] = [quantile(sorted, 0.5), sorted[sorted.length - 1]];
  const [width, height] = [600, 120];
  const step = width / KEPT;
  svg.replaceChildren();
  recent.forEach((latency, i) => {
    const tall = Math.max(2, scale(latency, median, most) * (height - 4));
    const bar = shape("rect", {x: (KEPT - recent.length + i) * step + 1, y: height - tall, width: step - 2, height: tall, rx: 1.5});
    if (i === recent.length - 1) bar.setAttribute("class", "last");
    svg.append(bar);
  });
  if (recent.length > 1) {
    const y = height - scale(median, median, most) * (height - 4);
    svg.append(shape("line", {x1: 0, x2: width, y1: y, y2: y}));
  }
  caption.textContent = recent.length === 1
    ? `One request so far: ${milliseconds(value)} from here to the server and back.`
    : `The last ${recent.length} requests, there and back: median ${milliseconds(median)} (dashed), ` +
      `least ${milliseconds(sorted[0])}, most ${milliseconds(most)}.`;
}
