"use strict";
// Draws a report from its JSON (report.cpp lists the fields). The same script serves the page that
// `unmar --report` writes and programs that show runs in a browser: drawReport(json, element).

/** An element with attributes and children; null children are left out. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const section = (id, title, ...children) =>
  h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
const known = value => value !== null && value !== undefined;

// ---------------------------------------------------------------- what it is and how it went

function facts(report) {
  const { result, options, parameters } = report.manifest;
  const list = [];
  const add = (name, value, more) =>
    list.push(h("div", {}, h("dt", {}, name), h("dd", {}, value, more ? h("small", {}, more) : null)));
  if (known(result.psnr)) {
    const gain = result.psnr - result.psnr_input;
    add("PSNR", `${result.psnr.toFixed(2)} dB`,
        known(result.psnr_input) ? `${result.psnr_input.toFixed(2)} before, ${gain < 0 ? "" : "+"}${gain.toFixed(2)} dB` : "");
  }
  if (known(result.ssim)) add("SSIM", result.ssim.toFixed(3), known(result.ssim_input) ? `${result.ssim_input.toFixed(3)} before` : "");
  if (result.tiling) {
    const { done, count, size, iterations } = result.tiling;
    add("Tiles", done < count ? `${done} of ${count}` : count, `of ${size} px, each with a fit of its own`);
    add("Iterations", iterations.least < iterations.most ? `${iterations.least}–${iterations.most}` : iterations.most, "of a tile's fit");
    add("Time", `${result.total_seconds.toFixed(1)} s`);
  } else {
    const tiles = fittedTiles(report), counts = tiles.map(tile => tile.iterations);
    if (tiles.length) add("Iterations", result.iterations, `in ${tiles.length} tiles, ${Math.min(...counts)} to ${Math.max(...counts)} each`);
    else add("Chosen iteration", result.best_iteration, `of ${result.iterations} done`);
    add("Time", `${result.seconds.toFixed(1)} s`, `${(result.iterations / Math.max(result.seconds, 1e-9)).toFixed(2)} iterations per second`);
  }
  add("Network", report.network, parameters > 0 ? `${parameters} parameters` : "");
  add("Picture", `${report.width} × ${report.height}`, report.kind);
  add("Seed", options.seed, `engine ${report.engine}`);
  if (result.rollbacks > 0) add("Roll-backs", result.rollbacks, "loss spikes that were undone");
  return h("dl", { class: "facts" }, list);
}

/** The fits that the picture was made of tile by tile; none if it was fitted as one piece. */
function fittedTiles(report) {
  return (report.manifest.result.parts ?? []).filter(part => part.phase === "tile");
}

/** "start 2 of 5", or nothing for a single fit. */
function partName(report, part) {
  const { parts = [] } = report.manifest.result;
  return parts.length > 1 && parts[part] ? `${parts[part].phase} ${part + 1} of ${parts.length}` : null;
}

/** The sentences for people, without what the page shows anyway. */
function lead(report) {
  const [end, ...lines] = report.summary.split("\n");
  const text = [end, ...lines.filter(line => line.startsWith("the result is "))].join("; ");
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}

function compare(report) {
  const { before, after, reference } = report.pictures;
  const tag = h("span", { class: "tag l" }, "before");
  const left = [h("img", { class: "left", "data-left": "before", src: before, alt: "before" })];
  if (reference) left.push(h("img", { class: "left", "data-left": "reference", src: reference, alt: "reference", hidden: true }));
  const bar = h("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50,
    "aria-label": "How much of the picture is shown before the restoration" });
  // Of a small picture each pixel is shown as a square.
  const box = h("div", { class: report.width < 200 ? "compare pixels" : "compare", id: "compare" },
    left, h("img", { class: "after", src: after, alt: "the result" }), bar,
    h("span", { class: "bar" }), tag, h("span", { class: "tag r" }, "after"));
  const place = () => {
    box.style.setProperty("--at", bar.value + "%");
    bar.setAttribute("aria-valuetext", Math.round(bar.value) + " % before");
  };
  bar.addEventListener("input", place);
  place();
  const choose = name => {
    for (const image of left) image.hidden = image.dataset.left !== name;
    tag.textContent = name;
  };
  const radio = (name, label) => [
    h("input", { type: "radio", name: "left", id: "left-" + name, value: name, checked: name === "before", onchange: () => choose(name) }),
    h("label", { for: "left-" + name }, label)];
  return section("compare-title", "Before and after",
    h("p", {}, "Drag across the picture, or use the arrow keys."),
    reference ? h("fieldset", { class: "choice" }, h("legend", {}, "Compare the result with"),
      radio("before", "what came in"), radio("reference", "the clean reference")) : null,
    box);
}

const CANDIDATES = {
  patches: "The patch filter, without a network: similar patches of the picture itself, combined.",
  dip: "The fit: what the network made, below.",
  "dip+patches": "Patches once more, with the fit's picture to tell detail from noise.",
};

/** The pictures that the result is a blend of, and why. */
function blend(report) {
  const list = report.candidates;
  if (list.length < 2) return null;
  const card = (picture, head, text) =>
    h("li", {}, h("div", { class: "pic" }, h("img", { src: picture, alt: "" })), h("h3", {}, head), h("p", {}, text));
  const cards = list.map(c => card(c.picture, [c.name, h("b", {}, `${(100 * c.weight).toFixed(0)} %`)],
    (CANDIDATES[c.name] ?? "") + (known(c.hidden_rmse) ? ` ${c.hidden_rmse.toFixed(2)} from the hidden values.` : "") +
    (known(c.psnr) ? ` PSNR ${c.psnr.toFixed(2)} dB.` : "")));
  cards.push(card(report.pictures.difference, "Where they differ",
    `Filter and fit, ${report.pictures.difference_gain} times: brighter is more.`));
  const why = known(list[0].hidden_rmse)
    ? "Some pixels were hidden from all three, made once more for that purpose. Their noisy values say which is nearest to the " +
      "truth: the noise there is the same for all, so the smallest distance is best. The weights follow it as far as it exceeds chance."
    : "The picture is too small to hide pixels from it, so nothing was compared and one of them is taken as it is.";
  return section("blend-title", "What was blended",
    h("p", {}, (report.noise ? `Found: ${report.noise}. ` : "") + why), h("ol", { class: "cards" }, cards));
}

// ---------------------------------------------------------------- where each tile ended

const MOST_NUMBERS = 400;  // tiles; of more than that the numbers cannot be read

/** Of a picture in tiles: the picture, and on it how many iterations each tile took. */
function tileMap(report) {
  const fitted = report.tiles.filter(t => t.iterations > 0).map(t => t.iterations);
  const least = fitted.reduce((a, b) => Math.min(a, b), Infinity), most = fitted.reduce((a, b) => Math.max(a, b), 0);
  const about = t => !t.done ? "as it came" : t.iterations === 0 ? "nothing was to be restored"
    : `${t.iterations} iterations, the picture is that of iteration ${t.best_iteration}; ${t.stopped ? "ended by itself" : "ended at the limit"}`;
  const kind = t => !t.done ? "undone" : t.iterations === 0 ? "idle" : "fitted";
  // Neighbours overlap; each is drawn up to the middle of that.
  const borders = (begin, size) => {
    const starts = [...new Set(report.tiles.map(t => t[begin]))].sort((a, b) => a - b), side = report.tiles[0][size];
    return new Map(starts.map((start, k) => [start, [k > 0 ? (start + starts[k - 1] + side) / 2 : start,
      k + 1 < starts.length ? (starts[k + 1] + start + side) / 2 : start + side]]));
  };
  const columns = borders("x", "width"), lines = borders("y", "height");
  const marks = report.tiles.map(t => {
    const [left, right] = columns.get(t.x), [top, bottom] = lines.get(t.y);
    const shade = most > least ? (t.iterations - least) / (most - least) : 0.5;
    const box = svg("rect", { class: kind(t), x: left, y: top, width: right - left, height: bottom - top,
      ...(t.iterations > 0 ? { "fill-opacity": (0.1 + 0.75 * shade).toFixed(3) } : {}) });
    const number = t.iterations > 0 && report.tiles.length <= MOST_NUMBERS
      ? [svg("text", { x: (left + right) / 2, y: (top + bottom) / 2, "font-size": Math.min(0.24 * Math.min(t.width, t.height), report.width / 30) }, String(t.iterations))] : [];
    return svg("g", {}, svg("title", {}, about(t)), box, ...number);
  });
  const undone = report.tiles.some(t => !t.done), idle = report.tiles.some(t => t.done && t.iterations === 0);
  return section("tiles-title", "Where each tile ended",
    h("p", {}, "Each tile has a fit of its own and ends at its own moment: smooth parts after few iterations, textured ones after many. " +
      "The stronger the colour, the more iterations." + (idle ? " Tiles without colour had nothing to restore." : "") +
      (undone ? " Dark tiles are as they came." : "")),
    h("div", { class: "tiles" }, h("img", { src: report.pictures.after, alt: "" }),
      svg("svg", { viewBox: `0 0 ${report.width} ${report.height}`, role: "img", "aria-label": fitted.length ? `iterations of the tiles, ${least} to ${most}` : "the tiles" },
        ...marks)));
}

// ---------------------------------------------------------------- how the picture formed

const INPUTS = { uniform: "noise", normal: "noise", meshgrid: "coordinates", fourier: "waves", observed: "the picture", guide: "the guide", filtered: "the filter's result" };

function aboutFit(report) {
  const { options, result } = report.manifest;
  if (options.prior === "gan") {
    const { parts } = result, starts = parts.filter(p => p.phase === "start");
    return "The network is the generator of a GAN, which learnt from many other pictures to turn numbers z into a picture. " +
      `From ${starts.length} random ${starts.length > 1 ? "starts" : "start"} z alone was fitted until the picture explains the given one` +
      (parts.length > starts.length ? "; from the best of them the weights then learn, too, what no z can say." : ".");
  }
  const tiles = fittedTiles(report);
  return "Nothing was learnt from other pictures. A network with random weights turns noise into a picture; at every iteration " +
    "the weights take a step that brings it closer to the one picture there is. Structure is learnt before noise, so the fit ends in between." +
    (tiles.length > 1 ? ` It goes through ${tiles.length} tiles, one after the other; each has a fit of its own and ends at its own moment.` : "") +
    (result.runs > 1 ? ` The result is the mean of ${result.runs} such fits, whose mistakes differ.` : "");
}

function aboutInput(options) {
  if (options.prior === "gan") return "The random numbers of the first start. They are fitted, and shown as they began.";
  if (/input/.test(options.optimise ?? "")) return "What the network starts from; here it is fitted too, and shown as it began.";
  const jitter = options["reg-noise-std"] > 0 ? ", but for a little fresh jitter each time" : "";
  return `What the network starts from. It stays the same for the whole fit${jitter}.`;
}

function aboutMisfit(report) {
  const what = { inpaint: "known pixels differ from the given", upscale: "f(z), reduced, differs from the given small picture" }[report.task]
    ?? (report.task === "denoise" ? "f(z) differs from the given picture" : "f(z), damaged alike, differs from the given picture");
  return `Where ${what}: brighter is more (${report.misfit_gain}×). Their mean ${report.manifest.options.loss === "l1" ? "size" : "square"} is what a step lowers.`;
}

/** Returns [the section, show(k), a list of callbacks for the frame that is shown]. */
function formation(report) {
  const frames = report.frames, chosen = report.manifest.result.best_iteration;
  const nearest = iteration => frames.reduce((best, f, k) =>
    Math.abs(f.iteration - iteration) <= Math.abs(frames[best].iteration - iteration) ? k : best, 0);
  const image = alt => h("img", { alt });
  const output = image("the output of the network"), misfit = image("difference to the given picture"),
    update = image("what the last update changed"), result = image("the running average");
  const noUpdate = h("div", { class: "none" }, "no step yet"), gain = h("span", {}), now = h("p", { class: "now", id: "now" });
  const slider = h("input", { type: "range", id: "iteration", min: 0, max: frames.length - 1, step: 1, value: 0, "aria-label": "Iteration" });
  const play = h("button", { type: "button", id: "play", "aria-pressed": "false" }, "Play");
  const panel = (picture, head, text) => h("li", {}, h("div", { class: "pic" }, picture), h("h3", {}, head), h("p", {}, text));
  const watchers = [];
  const show = k => {
    const f = frames[k];
    slider.value = k;
    slider.setAttribute("aria-valuetext", "iteration " + f.iteration);
    output.src = f.output;
    misfit.src = f.misfit;
    update.hidden = !f.update;
    noUpdate.hidden = Boolean(f.update);
    if (f.update) update.src = f.update;
    if (f.result) result.src = f.result;
    gain.textContent = f.update ? `exaggerated ${f.update_gain}×` : "exaggerated";
    const fact = (name, value) => h("span", {}, name + " ", h("b", {}, value));
    now.replaceChildren(...[fact("iteration", f.iteration), partName(report, f.part) ? fact("fit", partName(report, f.part)) : null, known(f.loss) ? fact("loss", f.loss.toPrecision(3)) : null,
      known(f.psnr) ? fact("PSNR", f.psnr.toFixed(2) + " dB") : null].filter(known));
    for (const watcher of watchers) watcher(f.iteration);
  };
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    let k = Number(slider.value) < frames.length - 1 ? Number(slider.value) : 0;
    show(k);
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => { if (++k >= frames.length) stop(); else show(k); }, 280);
  });
  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  const go = iteration => { stop(); show(nearest(iteration)); };
  const averaged = frames.some(f => f.result);
  const options = report.manifest.options;
  const element = section("flow-title", "How the picture formed",
    h("p", {}, aboutFit(report)),
    h("div", { class: "player" }, play, h("div", { class: "track" }, slider),
      h("button", { type: "button", id: "best", onclick: () => go(chosen) }, "Chosen iteration")),
    now,
    h("ol", { class: "flow", style: `--panels: ${averaged ? 5 : 4}` },
      panel(h("img", { src: report.pictures.network_input, alt: "the input of the network" }),
        [h("i", {}, "z"), ` \u2002${INPUTS[options.input] ?? "input"}`], aboutInput(options)),
      panel(output, [h("i", {}, "f(z)"), options.prior === "gan" ? " \u2002generator" : " \u2002network"],
        "What the network makes of z with its weights of this iteration."),
      panel(misfit, "Loss", aboutMisfit(report)),
      panel([update, noUpdate], "Update", ["What the last step changed in f(z), ", gain, "; gray is no change."]),
      averaged ? panel(result, "Result so far", "The running average of f(z), calmer than one iteration: what ending here would give.") : null));
  if (frames.length) show(nearest(chosen));
  return { element, go, watchers };
}

// ---------------------------------------------------------------- curves

const WIDTH = 1000, HEIGHT = 300, MOST_POINTS = 900, LEAST_SPAN = 5;

/** Of every stretch the least and the greatest value, in their order: no peak is lost. */
function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  const parts = MOST_POINTS / 2, kept = [];
  for (let part = 0; part < parts; ++part) {
    const stretch = points.slice(Math.floor(part * points.length / parts), Math.floor((part + 1) * points.length / parts));
    let low = 0, high = 0;
    stretch.forEach(([, y], k) => { if (y < stretch[low][1]) low = k; if (y > stretch[high][1]) high = k; });
    kept.push(...[...new Set([Math.min(low, high), Math.max(low, high)])].map(k => stretch[k]));
  }
  return kept;
}

/** Round numbers within a range. */
function ticks(low, high, count, logarithmic) {
  if (!(high > low)) return [];
  const marks = [];
  if (logarithmic) {
    const digits = Math.log10(high / low) > 3 ? [1] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power)
      for (const digit of digits) {
        const value = digit * 10 ** power;
        if (value >= low && value <= high) marks.push(value);
      }
    return marks;
  }
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw)), ratio = raw / power;
  const step = power * (ratio < 1.5 ? 1 : ratio < 3 ? 2 : ratio < 7 ? 5 : 10);
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) marks.push(k * step + 0);  // not -0
  return marks;
}

function scale(series, logarithmic) {
  const values = series.flatMap(s => s.points.map(([, y]) => y));
  let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  if (logarithmic && low > 0 && high > LEAST_SPAN * low) {
    const margin = (high / low) ** 0.04;
    low /= margin;
    high *= margin;
    return { low, high, logarithmic: true, at: y => Math.log(y / low) / Math.log(high / low) };
  }
  const margin = 0.05 * (high - low) || Math.max(Math.abs(high) * 0.1, 1e-6);
  low -= margin;
  high += margin;
  return { low, high, logarithmic: false, at: y => (y - low) / (high - low) };
}

const short = value => String(Number(value.toPrecision(4)));

/** One figure, or null if there is nothing finite to draw. */
function plot({ title, unit, about, series, logarithmic, last, chosen, borders }, formed) {
  series = series.map(s => ({ ...s, points: s.points.filter(([, y]) => known(y)) })).filter(s => s.points.length);
  if (!series.length) return null;
  const y = scale(series, logarithmic), name = unit ? `${title}, ${unit}` : title;
  const path = points => thinned(points).map(([px, py], k) =>
    `${k ? "L" : "M"}${(WIDTH * px / last).toFixed(1)} ${(HEIGHT * (1 - y.at(py))).toFixed(1)}`).join("");
  const rows = ticks(y.low, y.high, 4, y.logarithmic);
  let colour = 0;
  const styles = series.map(s => s.faint ? "faint" : "c" + colour++ % 4);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${name} over the iterations` },
    svg("g", { class: "grid" }, ...rows.map(v => svg("path", { d: `M0 ${(HEIGHT * (1 - y.at(v))).toFixed(1)}H${WIDTH}` }))),
    ...series.map((s, k) => svg("path", { class: styles[k], d: path(s.points) })));
  const cursor = h("span", { class: "cursor", hidden: true });
  const area = h("div", { class: "area" }, drawing,
    rows.map(v => h("span", { class: "y", style: `top:${(100 * (1 - y.at(v))).toFixed(2)}%` }, short(v))),
    ticks(0, last, 4, false).map(v => h("span", { class: "x", style: `left:${(100 * v / last).toFixed(2)}%` }, short(v))),
    borders.map(b => h("span", { class: "border", style: `left:${(100 * b / last).toFixed(2)}%` })),
    chosen.filter(iteration => iteration >= 0).map(iteration => {
      const at = 100 * iteration / last;
      return h("span", { class: at > 60 ? "chosen flip" : "chosen", style: `left:${at.toFixed(2)}%` },
        chosen.length > 1 ? null : h("b", {}, `chosen: ${iteration}`));
    }),
    cursor);
  area.addEventListener("click", event => {
    const box = area.getBoundingClientRect();
    formed.go(last * (event.clientX - box.left) / box.width);
  });
  formed.watchers.push(iteration => { cursor.hidden = false; cursor.style.left = 100 * iteration / last + "%"; });
  return h("figure", { class: "plot" },
    h("figcaption", {}, h("h3", {}, name), h("p", {}, about),
      h("div", { class: "legend" }, series.map((s, k) => h("span", { class: "key " + styles[k] }, s.name)))),
    h("div", { class: "axes" }, area));
}

function curves(report, formed) {
  const { history, manifest } = report, rule = manifest.options.stop;
  const column = (name, label, faint = false) =>
    ({ name: label, faint, points: history[name].map((value, k) => [history.iteration[k], value]) });
  const { iterations, best_iteration, parts = [] } = manifest.result, tiles = fittedTiles(report);
  const borders = parts.slice(0, -1).reduce((all, p) => [...all, (all.at(-1) ?? 0) + p.iterations], []);
  const common = { last: Math.max(iterations - 1, 1), borders,
    chosen: tiles.length ? tiles.map(tile => tile.best_iteration) : [best_iteration] };
  const figures = [
    { title: "Loss", about: "How far f(z) is from the given picture, noise included: it goes on falling.", series: [column("loss", "loss")], logarithmic: true },
    { title: "Stopper", about: `What --stop ${rule} watches to choose the iteration.`, series: [column("signal", rule)], logarithmic: true },
    { title: "PSNR", unit: "dB", about: "Likeness to the reference, which the fit never sees: more is better.",
      series: [column("psnr", "this iteration", true), column("psnr_average", "running average")], logarithmic: false },
  ];
  return section("curves-title", "Curves",
    h("p", {}, (tiles.length ? "Dashed lines mark the iterations that became the tiles of the result;" : "The dashed line marks the iteration that became the result;") +
      " the gray one follows the slider above." +
      (borders.length ? ` Thin lines part the ${parts.length} fits.` : "")),
    h("div", { class: "plots" }, figures.map(figure => plot({ ...figure, ...common }, formed))));
}

// ---------------------------------------------------------------- the page

function again(report) {
  const command = h("pre", { id: "command" }, report.command);
  const copy = h("button", { type: "button", id: "copy" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(report.command);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(command);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  return section("again-title", "Do it again",
    h("p", {}, "The same version on the same kind of machine gives the same picture, bit for bit."),
    h("div", { class: "command" }, command, copy),
    h("details", { open: true }, h("summary", {}, "Manifest: all options, versions and facts"),
      h("pre", {}, JSON.stringify(report.manifest, null, 2))));
}

// ---------------------------------------------------------------- priors side by side

/** What a prior got wrong, in words. */
function wrongs(prior) {
  const list = [`${Math.round(100 * prior.edge_share)} % of its squared error lies at edges, the steepest tenth of the picture`];
  if (prior.detail < 0.9) list.push(`it is too smooth: ${Math.round(100 * prior.detail)} % of the true detail`);
  else if (prior.detail > 1.1) list.push(`it has ${Math.round(100 * (prior.detail - 1))} % more detail than the truth: noise that was left, or made up`);
  else list.push("as much detail as the truth");
  return list.join("; ") + ".";
}

function drawPriors(report, element) {
  element.style.setProperty("--aspect", (report.width / report.height).toFixed(5));
  const pixels = report.width < 200 ? "pic pixels" : "pic";
  const card = (picture, head, value, text) =>
    h("li", {}, h("div", { class: pixels }, h("img", { src: picture, alt: head })), h("h3", {}, head, h("b", {}, value)), h("p", {}, text));
  const done = report.priors.filter(p => known(p.psnr)), best = done.reduce((a, b) => !a || b.psnr > a.psnr ? b : a, null);
  const cards = [card(report.clean, "Truth", "", "Nobody but the measure sees it."),
    card(report.damaged, "Damaged", known(report.psnr_input) ? `${report.psnr_input.toFixed(2)} dB` : "", "What all of them start from.")];
  for (const p of report.priors)
    cards.push(known(p.psnr) ? card(p.picture, p.name, `${p.psnr.toFixed(2)} dB`, wrongs(p))
      : h("li", {}, h("div", { class: pixels }, h("div", { class: "none" }, "no picture")), h("h3", {}, p.name), h("p", {}, p.why_not)));
  const row = p => h("tr", {}, h("th", { scope: "row" }, p.name), h("td", {}, p.needs),
    [known(p.psnr) ? p.psnr.toFixed(2) : "–", known(p.ssim) ? p.ssim.toFixed(3) : "–", p.iterations || "–", p.evaluations || "–",
      (p.macs * 1e-9).toPrecision(3), p.seconds.toFixed(1), p.cpu_seconds.toFixed(1)].map(v => h("td", { class: "number" }, v)));
  element.replaceChildren(
    h("header", {}, h("p", { class: "eyebrow" }, "unmar compare-priors"), h("h1", {}, report.input),
      h("p", { class: "lead" }, `Damaged by ${report.damage}, ${report.width} × ${report.height} px.` +
        (best ? ` Nearest to the truth: ${best.name}, ${best.psnr.toFixed(2)} dB.` : ""))),
    section("pictures-title", "What each made of it", h("ol", { class: "cards small" }, cards)),
    section("errors-title", "Where each is wrong",
      h("p", {}, `The distance to the truth, ${report.difference_gain} times: brighter is more.`),
      h("ol", { class: "cards small" }, done.map(p => card(p.error, p.name, "", "")))),
    section("numbers-title", "Numbers",
      h("p", {}, "The budget is what DIP takes until it stops itself: the others get as many multiplications. Training is not counted: it was done once, before."),
      h("div", { class: "scroll" }, h("table", {},
        h("thead", {}, h("tr", {}, ["", "learnt from", "PSNR, dB", "SSIM", "iterations", "evaluations", "10⁹ multiplications", "seconds", "processor seconds"].map(t => h("th", { scope: "col" }, t)))),
        h("tbody", {}, report.priors.map(row))))),
    section("again-title", "Do it again", h("pre", { id: "command" }, report.command)),
    h("footer", {}, `Made by unmar ${report.unmar}. This page holds all it shows and asks the network for nothing.`));
  document.title = `unmar compare-priors: ${report.input}`;
}

function drawReport(report, element) {
  if (report.priors) return drawPriors(report, element);
  element.style.setProperty("--aspect", (report.width / report.height).toFixed(5));
  const formed = report.tiles.length ? null : formation(report);
  const fit = formed ? [blend(report), formed.element, curves(report, formed)] : [tileMap(report)];
  const parts = [
    h("header", {}, h("p", { class: "eyebrow" }, "unmar " + report.task), h("h1", {}, report.input),
      h("p", { class: "lead" }, lead(report)), facts(report)),
    compare(report), ...fit, again(report),
    h("footer", {}, `Made by unmar ${report.unmar}. This page holds all it shows and asks the network for nothing.`)];
  element.replaceChildren(...parts.filter(part => part !== null));
  document.title = `unmar ${report.task}: ${report.input}`;
}

if (typeof document !== "undefined")
  drawReport(JSON.parse(document.getElementById("data").textContent), document.getElementById("report"));
