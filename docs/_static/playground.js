// The page "Playground": expressions in, curves out, in the browser alone.

"use strict";

(() => {
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
  const MOST_CURVES = COLOURS.length;
  const SAMPLES = 2000;
  const MOST_MARKS = 40;
  const MOST_ROWS = 100_000;
  const LAST_STEP = 2 ** 31 - 1;
  const HEIGHT = 320;
  const MARGIN = { top: 16, right: 16, bottom: 44, left: 64 };
  const STYLE =
    "<style>svg{color:#1f2328;background:#fff;font-family:system-ui,sans-serif}" +
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}</style>";

  const element = (id) => document.getElementById(`playground-${id}`);
  const escaped = (text) => text.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);

  /** The schedules of the lines that are no comments, or the first mistake with its line. */
  function read(text) {
    const found = [];
    for (const [i, line] of text.split("\n").entries()) {
      if (!line.trim() || line.trim().startsWith("#")) continue;
      try {
        found.push({ text: line.trim(), schedule: jaxsched.parse(line) });
      } catch (error) {
        if (!(error instanceof jaxsched.Mistake)) throw error;
        return { mistake: error, line, number: i + 1 };
      }
    }
    if (!found.length) return { mistake: new jaxsched.Mistake("Type an expression, such as `Cosine(0.3, 0, 100)`."), line: "", number: 1 };
    if (found.length > MOST_CURVES) {
      return { mistake: new jaxsched.Mistake(`There is room for ${MOST_CURVES} curves, got ${found.length} lines.`), line: "", number: 1 };
    }
    return { found };
  }

  /** The number of steps to show: what the reader asks for, or a little more than the schedules last. */
  function horizon(found, wanted) {
    if (wanted !== "") {
      const steps = Number(wanted);
      if (!Number.isInteger(steps) || steps < 1 || steps > LAST_STEP) {
        throw new jaxsched.Mistake(`\`steps\` must be a whole number from 1 to ${LAST_STEP}, got ${wanted}.`);
      }
      return steps;
    }
    const ends = found.map(({ schedule }) => schedule.end ?? 3 * (schedule.marks(Infinity)[0] ?? 300));
    return Math.min(Math.max(Math.ceil(1.05 * Math.max(...ends)) + 1, 10), LAST_STEP);
  }

  /** Steps to look at: all of them, or some and both sides of each mark. */
  function sampled(schedule, steps, most = SAMPLES) {
    if (steps <= most) return Array.from({ length: steps }, (_, i) => i);
    const even = Array.from({ length: most }, (_, i) => Math.floor((i * (steps - 1)) / (most - 1)));
    const marks = schedule.marks(steps).slice(0, MOST_MARKS).map(Math.ceil);
    const all = new Set([...even, ...marks, ...marks.map((each) => each - 1)].filter((each) => each >= 0 && each < steps));
    return [...all].sort((a, b) => a - b);
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const unit = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= raw);
    const found = [];
    for (let i = Math.ceil(low / unit - 1e-9); i * unit <= high + unit * 1e-9; i += 1) found.push(Number((i * unit).toPrecision(12)));
    return found;
  }

  function logTicks(low, high) {
    const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const step = Math.max(1, Math.ceil((last - first + 1) / 6));
    const found = [];
    for (let i = first; i <= last; i += step) found.push(Number(`1e${i}`));
    return found.length > 1 ? found : [low, high];
  }

  const label = (value) => (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential().replace("e+", "e") : String(value));

  /** The curves as SVG, `width` pixels wide. */
  function picture(curves, steps, width, log) {
    const rates = curves.flatMap((each) => each.rates).filter((each) => Number.isFinite(each) && (!log || each > 0));
    let [low, high] = rates.length ? rates.reduce(([a, b], each) => [Math.min(a, each), Math.max(b, each)], [Infinity, -Infinity]) : [1, 2];
    if (!log) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 1, high + 1];
    const scale = log ? Math.log : (each) => each;
    const x = (step) => MARGIN.left + ((width - MARGIN.left - MARGIN.right) * step) / steps;
    const y = (rate) => HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.bottom - MARGIN.top) * (scale(rate) - scale(low))) / (scale(high) - scale(low));
    const at = (number) => number.toFixed(2);
    const parts = [];
    const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, HEIGHT - MARGIN.bottom];
    for (const tick of log ? logTicks(low, high) : ticks(low, high, 5)) {
      parts.push(`<path d="M${left} ${at(y(tick))}H${right}" stroke="currentColor" stroke-opacity="0.15"/>`);
      parts.push(`<text x="${left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${label(tick)}</text>`);
    }
    for (const tick of ticks(0, steps, Math.max(2, Math.floor(width / 120)))) {
      parts.push(`<path d="M${at(x(tick))} ${bottom}v5" stroke="currentColor"/>`);
      parts.push(`<text x="${at(x(tick))}" y="${bottom + 19}" text-anchor="middle">${label(tick)}</text>`);
    }
    parts.push(`<path d="M${left} ${MARGIN.top}V${bottom}H${right}" fill="none" stroke="currentColor" stroke-opacity="0.6"/>`);
    parts.push(`<text x="${(left + right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">step</text>`);
    for (const [i, { schedule, steps: sampledAt, rates: values }] of curves.entries()) {
      const marks = curves.length === 1 ? schedule.marks(steps) : [];
      if (marks.length <= MOST_MARKS) {
        for (const mark of marks) parts.push(`<path d="M${at(x(mark))} ${MARGIN.top}V${bottom}" stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="1 4"/>`);
      }
      let path = "";
      for (const [j, rate] of values.entries()) {
        if (!Number.isFinite(rate) || (log && rate <= 0)) {
          path += " ";
          continue;
        }
        path += `${path === "" || path.endsWith(" ") ? "M" : "L"}${at(x(sampledAt[j]))} ${at(y(rate))}H${at(x(sampledAt[j + 1] ?? steps))}`;
      }
      parts.push(`<path d="${path}" fill="none" stroke-width="2" style="stroke:color-mix(in srgb,${COLOURS[i]} 75%,currentColor)"/>`);
    }
    const title = curves.map(({ text }) => text).join("; ");
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" ` +
      `role="img" font-size="12" fill="currentColor"><title>${escaped(`Learning rate over ${steps} steps: ${title}`)}</title>${parts.join("")}</svg>`
    );
  }

  const significant = (value) => jaxsched.show(Number(value.toPrecision(6)));

  /** What a screen reader says of a curve, and what stands below the picture. */
  function summary({ text, schedule, steps, rates }, end) {
    const largest = rates.reduce((best, each, i) => (each > rates[best] ? i : best), 0);
    const printed = String(schedule);
    const same = printed === text ? "" : ` It prints as <code>${escaped(printed)}</code>.`;
    return (
      `<code>${escaped(text)}</code> begins at ${significant(rates[0])}, is highest at step ${steps[largest]} with ` +
      `${significant(rates[largest])}, and has ${significant(schedule.at(end - 1))} at step ${end - 1}.${same}`
    );
  }

  let shown = null;

  function complain({ message, place }, line, number) {
    const where = place === null || place === undefined ? "" : `\nline ${number}: ${line}\n${" ".repeat(`line ${number}: `.length + place)}^`;
    element("mistake").textContent = message + where;
    element("mistake").hidden = false;
    element("text").setAttribute("aria-invalid", "true");
    for (const id of ["svg", "csv"]) element(id).disabled = true;
    element("picture").classList.add("stale");
  }

  function draw() {
    const { found, mistake, line, number } = read(element("text").value);
    if (mistake) return complain(mistake, line, number);
    let steps;
    try {
      steps = horizon(found, element("steps").value.trim());
    } catch (error) {
      if (!(error instanceof jaxsched.Mistake)) throw error;
      return complain(error, "", 1);
    }
    const curves = found.map((each) => {
      const at = sampled(each.schedule, steps);
      return { ...each, steps: at, rates: at.map((step) => Math.fround(each.schedule.at(step))) };
    });
    const width = Math.max(280, Math.min(element("picture").clientWidth, 1000));
    const drawing = picture(curves, steps, width, element("log").checked);
    element("picture").innerHTML = drawing;
    element("picture").classList.remove("stale");
    element("summary").innerHTML = curves
      .map((each, i) => `<li style="--curve:${COLOURS[i]}">${summary(each, steps)}</li>`)
      .join("");
    element("said").textContent = "";
    element("mistake").hidden = true;
    element("text").removeAttribute("aria-invalid");
    for (const id of ["svg", "csv"]) element(id).disabled = false;
    shown = { curves, steps, drawing };
    return undefined;
  }

  function link() {
    const parts = new URLSearchParams({ e: element("text").value });
    if (element("steps").value.trim()) parts.set("steps", element("steps").value.trim());
    if (element("log").checked) parts.set("log", "1");
    const url = new URL(window.location.href);
    url.hash = parts.toString();
    return url.href;
  }

  function fromLink() {
    const parts = new URLSearchParams(window.location.hash.slice(1));
    if (!parts.has("e")) return;
    element("text").value = parts.get("e");
    element("steps").value = parts.get("steps") ?? "";
    element("log").checked = parts.has("log");
  }

  function save(name, kind, content) {
    const anchor = document.createElement("a");
    anchor.href = URL.createObjectURL(new Blob([content], { type: kind }));
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
  }

  function table({ curves, steps }) {
    const at = [...new Set(curves.flatMap(({ schedule }) => sampled(schedule, steps, MOST_ROWS)))].sort((a, b) => a - b);
    const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
    const rows = at.map((step) => [step, ...curves.map(({ schedule }) => Math.fround(schedule.at(step)))].join(","));
    return [["step", ...curves.map(({ text }) => quoted(text))].join(","), ...rows, ""].join("\n");
  }

  function start() {
    if (!element("text")) return;
    fromLink();
    for (const id of ["text", "steps", "log"]) element(id).addEventListener("input", draw);
    window.addEventListener("hashchange", () => {
      fromLink();
      draw();
    });
    window.addEventListener("resize", draw);
    element("example").addEventListener("change", (event) => {
      element("text").value = event.target.value;
      element("steps").value = "";
      draw();
    });
    element("link").addEventListener("click", async () => {
      window.location.replace(link());
      await navigator.clipboard?.writeText(link());
      element("said").textContent = "The link is in the address bar and on the clipboard.";
    });
    element("svg").addEventListener("click", () => save("schedule.svg", "image/svg+xml", shown.drawing.replace("><title>", `>${STYLE}<title>`)));
    element("csv").addEventListener("click", () => save("schedule.csv", "text/csv", table(shown)));
    draw();
  }

  document.addEventListener("DOMContentLoaded", start);
})();
