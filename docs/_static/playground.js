// The page "Playground": expressions in, curves out, in the browser alone.

"use strict";

(() => {
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  const DASHES = ["none", "8 3", "3 2", "12 3 3 3", "16 5", "6 6"];
  const SAMPLES = 2000;
  const MOST_MARKS = 40;
  const MOST_ROWS = 100_000;
  const LAST_STEP = 2 ** 31 - 1;
  const ROUNDS = 4;
  const GOLDEN = (Math.sqrt(5) - 1) / 2;
  const HEIGHT = 320;
  const LINE = 18;
  const CHARACTER = 7.5;
  const MARGIN = { top: 16, right: 16, bottom: 44, left: 64 };
  const FILE_STYLE =
    "<style>svg{color:#1f2328;background:#fff;font-family:system-ui,sans-serif}" +
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}</style>";

  const { Mistake, parse, show } = jaxsched;
  const element = (id) => document.getElementById(`playground-${id}`);
  const escaped = (text) =>
    text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`).replace(/[\x00-\x1f\x7f]/g, "\ufffd");
  const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

  // What to draw.

  /** A schedule for each line that is no comment. A mistake knows its line. */
  function read(text) {
    const found = [];
    for (const [i, line] of text.split("\n").entries()) {
      if (!line.trim() || line.trim().startsWith("#")) continue;
      try {
        found.push({ text: line.trim(), schedule: parse(line) });
      } catch (error) {
        if (error instanceof Mistake) Object.assign(error, { line, number: i + 1 });
        throw error;
      }
    }
    if (!found.length) throw new Mistake("Type an expression, such as `Cosine(0.3, 0, 100)`.");
    if (found.length > COLOURS.length) {
      throw new Mistake(`There is room for ${COLOURS.length} curves, got ${found.length}.`);
    }
    return found;
  }

  /** The number of steps to show: what the reader asks for, or a little more than the schedules last. */
  function horizon(found, wanted) {
    if (wanted !== "") {
      const steps = Number(wanted);
      if (!Number.isInteger(steps) || steps < 1 || steps > LAST_STEP) {
        const mistake = new Mistake(`\`steps\` must be a whole number from 1 to ${LAST_STEP}, got ${wanted}.`);
        throw Object.assign(mistake, { field: "steps" });
      }
      return steps;
    }
    const lengths = found.map(({ schedule }) => schedule.end ?? repeating(schedule) ?? settling(schedule));
    return clamped(Math.ceil(1.05 * Math.max(...lengths)) + 1, 10, LAST_STEP);
  }

  /** The length of the first rounds of a schedule that has so many. */
  function repeating(schedule) {
    return schedule.marks(Infinity).filter((each) => each > 0)[ROUNDS - 1];
  }

  /** The time until doubling it changes the rate by less than a twentieth of its range, or it has grown 20-fold. */
  function settling({ at }) {
    const times = [0, ...Array.from({ length: 31 }, (_, i) => 2 ** i)];
    const rates = times.map(at);
    const range = Math.max(...rates) - Math.min(...rates);
    const grown = times.find((_, i) => Math.abs(rates[i]) > 20 * Math.abs(rates[0]));
    if (range > 1e30 && grown) return grown;
    const last = rates.findLastIndex((rate, i) => i > 0 && Math.abs(rate - rates[i - 1]) > 0.05 * range);
    return last > 0 ? times[last] : 100;
  }

  /** All steps, or some and both sides of each mark. Evenly spread ones would show a fast cycle as a slow one. */
  function sampled(schedule, steps, most = SAMPLES) {
    if (steps <= most) return Array.from({ length: steps }, (_, i) => i);
    const spread = Array.from({ length: most }, (_, i) => Math.floor(((i + ((i * GOLDEN) % 1)) / most) * steps));
    const marks = schedule
      .marks(steps)
      .slice(0, most / 4)
      .map(Math.ceil);
    const all = new Set([...spread, steps - 1, ...marks, ...marks.map((each) => each - 1)]);
    return [...all].filter((each) => each >= 0 && each < steps).sort((a, b) => a - b);
  }

  function sampledCurve({ text, schedule }, steps) {
    const at = sampled(schedule, steps);
    return { text, schedule, at, rates: at.map((step) => Math.fround(schedule.at(step))) };
  }

  // The picture.

  function limits(rates, log) {
    const [low, high] = rates.reduce(([a, b], each) => [Math.min(a, each), Math.max(b, each)], [Infinity, -Infinity]);
    if (log) return [low / 1.1, high * 1.1];
    const ends = [low >= 0 && low <= high / 2 ? 0 : low, high <= 0 && high >= low / 2 ? 0 : high];
    if (low === high) ends[low > 0 ? 0 : 1] = low === 0 ? 1 : 0;
    const margin = 0.05 * (ends[1] - ends[0]);
    return [ends[0] - (ends[0] && margin), ends[1] + (ends[1] && margin)];
  }

  function ticks(low, high, count) {
    const power = 10 ** Math.floor(Math.log10((high - low) / count));
    const unit = [1, 2, 5, 10].map((each) => each * power).find((each) => (high - low) / each <= count + 1e-9);
    const first = Math.ceil(low / unit - 1e-9);
    const number = Math.floor(high / unit + 1e-9) - first + 1;
    return Array.from({ length: number }, (_, i) => Number(((first + i) * unit).toPrecision(12)));
  }

  function logTicks(low, high) {
    const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
    const powers = Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => Number(`1e${first + i}`));
    return powers.length > 1 ? powers.filter((_, i) => i % Math.ceil(powers.length / 6) === 0) : ticks(low, high, 4);
  }

  function label(value) {
    const plain = value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6);
    return plain ? String(value) : value.toExponential().replace("e+", "e");
  }

  /** The line of a curve; a viewer without `color-mix` uses the plain colour. */
  const stroke = (i) =>
    `stroke="${COLOURS[i]}" stroke-width="2" stroke-dasharray="${DASHES[i]}" fill="none" ` +
    `style="stroke:color-mix(in srgb,${COLOURS[i]} 75%,currentColor)"`;

  const svg = (width, height, title, inside) =>
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" font-size="12" fill="currentColor"><title>${escaped(title)}</title>${inside}</svg>`;

  /** The curves as SVG, `width` pixels wide; a file has its own colours and says which curve is which. */
  function picture({ curves, steps, log }, width, file = false) {
    const shown = (rate) => Number.isFinite(rate) && (!log || rate > 0);
    const [low, high] = limits(
      curves.flatMap(({ rates }) => rates.filter(shown)),
      log,
    );
    const scale = log ? Math.log : (each) => each;
    const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, HEIGHT - MARGIN.bottom];
    const x = (step) => (left + ((right - left) * step) / steps).toFixed(2);
    const way = (rate) => (scale(rate) - scale(low)) / (scale(high) - scale(low));
    const y = (rate) => (bottom + (top - bottom) * way(rate)).toFixed(2);
    const parts = file ? [FILE_STYLE] : [];
    for (const tick of log ? logTicks(low, high) : ticks(low, high, 5)) {
      parts.push(`<path d="M${left} ${y(tick)}H${right}" stroke="currentColor" stroke-opacity="0.15"/>`);
      parts.push(`<text x="${left - 8}" y="${y(tick)}" dy="4" text-anchor="end">${label(tick)}</text>`);
    }
    for (const tick of ticks(0, steps, Math.max(2, Math.floor(width / 80))).filter(Number.isInteger)) {
      parts.push(`<path d="M${x(tick)} ${bottom}v5" stroke="currentColor"/>`);
      parts.push(`<text x="${x(tick)}" y="${bottom + 19}" text-anchor="middle">${label(tick)}</text>`);
    }
    parts.push(`<path d="M${left} ${top}V${bottom}H${right}" fill="none" stroke="currentColor" stroke-opacity="0.6"/>`);
    parts.push(`<text x="${(left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">step</text>`);
    const marks = [...new Set(curves.flatMap(({ schedule }) => schedule.marks(steps)))];
    for (const mark of marks.length <= MOST_MARKS ? marks : []) {
      parts.push(
        `<path d="M${x(mark)} ${top}V${bottom}" stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="1 4"/>`,
      );
    }
    for (const [i, { text, at, rates }] of curves.entries()) {
      const corners = rates.map((rate, j) => {
        if (!shown(rate)) return "";
        return `${j && shown(rates[j - 1]) ? "L" : "M"}${x(at[j])} ${y(rate)}H${x(at[j + 1] ?? steps)}`;
      });
      parts.push(`<path d="${corners.join("")}" ${stroke(i)}/>`);
      if (!file) continue;
      const [line, most] = [HEIGHT + LINE * (i + 0.5), Math.floor((width - MARGIN.left) / CHARACTER)];
      const short = text.length > most ? `${text.slice(0, most - 1)}…` : text;
      parts.push(`<path d="M12 ${line - 4}h36" ${stroke(i)}/>`);
      parts.push(`<text x="${left - 8}" y="${line}" font-family="ui-monospace,monospace">${escaped(short)}</text>`);
    }
    const title = `Learning rate over ${steps} steps: ${curves.map(({ text }) => text).join("; ")}`;
    return svg(width, HEIGHT + (file ? LINE * curves.length : 0), title, parts.join(""));
  }

  /** The fewest digits that read back as the same float32. */
  function shortest(rate) {
    for (let digits = 1; digits < 9; digits += 1) {
      const near = Number(rate.toPrecision(digits));
      if (Math.fround(near) === rate) return near;
    }
    return Number(rate.toPrecision(9));
  }

  /** The curve in words, below the picture. */
  function summary({ text, schedule, at, rates }, i, steps) {
    const significant = (value) => show(Number(value.toPrecision(6)));
    const largest = rates.reduce((best, rate, j) => (rate > rates[best] ? j : best), 0);
    const printed = String(schedule);
    const sample = `<svg width="36" height="8" aria-hidden="true"><path d="M0 4H36" ${stroke(i)}/></svg>`;
    return (
      `<li>${sample} <code>${escaped(text)}</code> begins at ${significant(rates[0])}, is highest at step ` +
      `${at[largest]} with ${significant(rates[largest])}, and has ${significant(rates.at(-1))} at step ` +
      `${steps - 1}.${printed === text ? "" : ` It prints as <code>${escaped(printed)}</code>.`}</li>`
    );
  }

  function table({ curves, steps }) {
    const all = new Set(curves.flatMap(({ schedule }) => sampled(schedule, steps, MOST_ROWS)));
    const rows = [...all]
      .sort((a, b) => a - b)
      .map((step) => [step, ...curves.map(({ schedule }) => shortest(Math.fround(schedule.at(step))))]);
    const names = curves.map(({ text }) => `"${text.replaceAll('"', '""')}"`);
    return [["step", ...names], ...rows].map((row) => `${row.join(",")}\n`).join("");
  }

  // The page.

  let drawn = null;

  function paint() {
    if (!drawn) return;
    const width = clamped(element("picture").clientWidth, 280, 1000);
    element("picture").innerHTML = picture(drawn, width);
  }

  /** Says what is wrong, and where. A phone has room for some 30 characters of the line. */
  function complain({ message, place, line, number, field = "text" }) {
    let where = "";
    if (line !== undefined && place !== null) {
      const first = Math.max(place - 18, 0);
      const before = first ? "…" : "";
      const after = line.length > first + 30 ? "…" : "";
      const caret = `${" ".repeat(before.length + place - first)}^`;
      where = `\n\n${before}${line.slice(first, first + 30)}${after}\n${caret}`;
    }
    element("mistake").textContent = (number ? `Line ${number}: ` : "") + message + where;
    element(field).setAttribute("aria-invalid", "true");
  }

  function draw() {
    const log = element("log").checked;
    for (const id of ["mistake", "said"]) element(id).textContent = "";
    for (const id of ["text", "steps"]) element(id).removeAttribute("aria-invalid");
    let mistaken = false;
    try {
      const found = read(element("text").value);
      const steps = horizon(found, element("steps").value.trim());
      const curves = found.map((each) => sampledCurve(each, steps));
      if (log && !curves.some(({ rates }) => rates.some((rate) => rate > 0))) {
        throw Object.assign(new Mistake("A logarithmic axis needs a rate above 0."), { field: "log" });
      }
      drawn = { curves, steps, log };
      paint();
      element("summary").innerHTML = curves.map((each, i) => summary(each, i, steps)).join("");
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      mistaken = true;
      complain(error);
    }
    element("picture").classList.toggle("stale", mistaken);
    element("summary").hidden = mistaken;
    for (const id of ["link", "svg", "csv"]) element(id).disabled = mistaken;
  }

  // A link carries the expressions, one a line, and optionally the steps and a logarithmic axis:
  // `playground.html#e=EXPRESSIONS&steps=1000&log=1`, encoded as the query of an address is.

  function link() {
    const parts = new URLSearchParams({ e: element("text").value });
    if (element("steps").value.trim()) parts.set("steps", element("steps").value.trim());
    if (element("log").checked) parts.set("log", "1");
    return `${window.location.href.split("#")[0]}#${parts}`;
  }

  function follow() {
    const parts = new URLSearchParams(window.location.hash.slice(1));
    if (parts.has("e")) {
      element("text").value = parts.get("e");
      element("steps").value = parts.get("steps") ?? "";
      element("log").checked = parts.has("log");
    }
    draw();
  }

  /** Keeps what was typed in the address, so that it is still there after a reload or a step back. */
  function keep() {
    window.history.replaceState(null, "", link());
  }

  async function copy() {
    keep();
    try {
      await navigator.clipboard.writeText(link());
      element("said").textContent = "Copied. The address bar has it too.";
    } catch {
      element("said").textContent = "The link is in the address bar.";
    }
  }

  function save(name, type, content) {
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([content], { type }));
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const id of ["text", "steps", "log"]) {
      element(id).addEventListener("input", draw);
      element(id).addEventListener("change", keep);
    }
    element("example").addEventListener("change", (event) => {
      element("text").value = event.target.value;
      element("steps").value = "";
      draw();
      keep();
    });
    element("link").addEventListener("click", copy);
    element("svg").addEventListener("click", () => save("schedule.svg", "image/svg+xml", picture(drawn, 800, true)));
    element("csv").addEventListener("click", () => save("schedule.csv", "text/csv", table(drawn)));
    window.addEventListener("hashchange", follow);
    window.addEventListener("resize", paint);
    follow();
  });
})();
