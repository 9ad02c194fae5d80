"use strict";
// node page_test.js PAGE.js: the parts of the page that calculate, without a browser; then the whole
// page in a document that only counts what it is given.
const assert = require("node:assert");
const fs = require("node:fs");
const source = fs.readFileSync(process.argv[2], "utf8");
const exported = "ticks, thinned, scale, lead, aboutInput, aboutMisfit, drawReport";
const load = document => new Function("document", `${source}; return { ${exported} };`)(document);
const page = load(undefined);

const tests = {
  ticksAreRoundAndInside() {
    assert.deepStrictEqual(page.ticks(0, 100, 4, false), [0, 20, 40, 60, 80, 100]);
    assert.deepStrictEqual(page.ticks(-1, 1, 4, false), [-1, -0.5, 0, 0.5, 1]);
    assert.deepStrictEqual(page.ticks(0.02, 0.3, 4, true), [0.02, 0.05, 0.1, 0.2]);
    assert.deepStrictEqual(page.ticks(1e-6, 1, 4, true).map(Math.log10).map(Math.round), [-6, -5, -4, -3, -2, -1, 0]);
    assert.deepStrictEqual(page.ticks(1, 1, 4, false), []);
  },

  manyPointsKeepEveryPeak() {
    const points = Array.from({ length: 10000 }, (_, i) => [i, i === 7777 ? 100 : Math.sin(i)]);
    const kept = page.thinned(points);
    assert.ok(kept.length <= 900);
    assert.ok(kept.some(([x, y]) => x === 7777 && y === 100));
    assert.ok(kept.every(([x], k) => k === 0 || x > kept[k - 1][0]), "in order");
  },

  equalValuesHaveAScale() {
    const { low, high, at } = page.scale([{ points: [[0, 3], [1, 3]] }], true);
    assert.ok(low < 3 && high > 3);
    assert.ok(Math.abs(at(3) - 0.5) < 1e-9);
  },

  valuesOfManySizesAreLogarithmic() {
    const { logarithmic, at } = page.scale([{ points: [[0, 1e-4], [1, 1]] }], true);
    assert.ok(logarithmic);
    assert.ok(Math.abs(at(1e-2) - 0.5) < 1e-9);
  },

  sentencesFollowTheRun() {
    assert.strictEqual(page.lead({ summary: "stopped by itself after 9 iterations\nthe result is 60 % patches, 40 % dip\nwrote out.png" }),
      "Stopped by itself after 9 iterations; the result is 60 % patches, 40 % dip.");
    const misfit = (task, loss) => page.aboutMisfit({ task, misfit_gain: 4, manifest: { options: { loss } } });
    assert.match(misfit("inpaint", "mse"), /known pixels differ.*\(4×\).*square/);
    assert.match(misfit("upscale", "l1"), /reduced, differs from the given small picture.*size/);
    assert.match(page.aboutInput({ optimise: "weights-and-input" }), /fitted too/);
    assert.match(page.aboutInput({ optimise: "weights", "reg-noise-std": 0.03 }), /fresh jitter/);
    assert.doesNotMatch(page.aboutInput({ optimise: "weights", "reg-noise-std": 0 }), /jitter/);
  },

  theWholePageIsDrawn() {
    const texts = [];
    class Node {
      constructor(tag) { Object.assign(this, { tag, children: [], dataset: {}, attributes: {}, style: { setProperty() {} } }); }
      append(...children) { for (const c of children) { this.children.push(c); if (typeof c !== "object") texts.push(String(c)); } }
      replaceChildren(...children) { this.children = []; this.append(...children); }
      setAttribute(name, value) { this.attributes[name] = value; if (name.startsWith("data-")) this.dataset[name.slice(5)] = value; }
      addEventListener() {}
      all(tag) { return [this, ...this.children.filter(c => c instanceof Node)].flatMap(c => c === this ? (c.tag === tag ? [c] : []) : c.all(tag)); }
    }
    const document = {
      createElement: tag => new Node(tag),
      createElementNS: (_, tag) => new Node(tag),
      getElementById: () => ({ textContent: "null" }),
    };
    const root = new Node("main");
    const frame = (iteration, more) => ({ iteration, loss: 0.1, psnr: 20, update_gain: 3, output: "o", misfit: "m", update: "u", result: "r", ...more });
    const report = {
      unmar: "1.2.3", task: "denoise", input: "<b>cat</b>.png", command: "unmar denoise it", summary: "finished\nwrote it", engine: "cpu", network: "skip",
      width: 300, height: 200, kind: "RGB, 8 bit", noise: "white noise, sigma 25", misfit_gain: 4,
      pictures: { before: "b", after: "a", reference: "c", network_input: "z", difference: "d", difference_gain: 8 },
      candidates: [{ name: "patches", weight: 0.75, hidden_rmse: 25.5, psnr: 30, picture: "p" }, { name: "dip", weight: 0.25, hidden_rmse: 26, psnr: 29, picture: "q" }],
      history: { iteration: [0, 1, 2], loss: [0.3, null, 0.1], signal: [null, null, null], psnr: [10, 11, 12], psnr_average: [10, 10.5, 11] },
      frames: [frame(0, { update: null }), frame(2)], tiles: [],
      manifest: { options: { seed: 5, stop: "auto", input: "meshgrid", loss: "mse", optimise: "weights", "reg-noise-std": 0.03 }, parameters: 77,
        result: { psnr: 30.126, psnr_input: 20, ssim: 0.9, ssim_input: 0.5, best_iteration: 2, iterations: 3, seconds: 1.5, rollbacks: 1 } },
    };
    globalThis.window = undefined;
    load({ ...document, getElementById: id => id === "data" ? { textContent: JSON.stringify(report) } : root });
    const text = texts.join("|");
    for (const part of ["<b>cat</b>.png", "30.13 dB", "20.00 before, +10.13 dB", "75 %", "25.50 from the hidden values", "chosen: 2", "coordinates", "Roll-backs", "Loss", "PSNR, dB"])
      assert.ok(text.includes(part), `"${part}" is missing`);
    assert.ok(!text.includes("Stopper"), "a curve without a value is left out");
    assert.strictEqual(root.all("figure").length, 2);
    assert.ok(!/undefined|NaN|null/.test(text), text.match(/.{30}(undefined|NaN|null).{30}/)?.[0]);

    // Priors side by side are another page.
    texts.length = 0;
    const prior = more => ({ name: "DIP", needs: "nothing but this picture", picture: "p", error: "e", psnr: 21.5, ssim: 0.8, edge_share: 0.4, detail: 0.7,
      iterations: 300, evaluations: 0, macs: 4e11, seconds: 7.25, cpu_seconds: 8, ...more });
    const priors = { unmar: "1.2.3", task: "denoise", input: "shirt.png", command: "unmar compare-priors it", damage: "noise:25", width: 28, height: 28,
      psnr_input: 20.1, ssim_input: 0.5, difference_gain: 3, clean: "c", damaged: "d",
      priors: [prior({}), prior({ name: "DDPM", psnr: 23.25, detail: 1.5 }), { name: "GAN", needs: "shirts", why_not: "it is of 3 channels", iterations: 0, evaluations: 0, macs: 0, seconds: 0, cpu_seconds: 0 }] };
    load({ ...document, getElementById: id => id === "data" ? { textContent: JSON.stringify(priors) } : root });
    const side = texts.join("|");
    for (const part of ["Nearest to the truth: DDPM, 23.25 dB", "too smooth: 70 %", "50 % more detail", "it is of 3 channels", "40 % of its squared error", "noise:25", "400", "7.3"])
      assert.ok(side.includes(part), `"${part}" is missing in ${side}`);
    assert.strictEqual(root.all("img").length, 6);
    assert.ok(!/undefined|NaN|null/.test(side), side.match(/.{30}(undefined|NaN|null).{30}/)?.[0]);

    // In tiles there is no single fit to show.
    texts.length = 0;
    const tile = (x, more) => ({ x, y: 0, width: 120, height: 200, done: true, iterations: 80, best_iteration: 70, stopped: true, ...more });
    Object.assign(report, { history: { iteration: [], loss: [], signal: [], psnr: [], psnr_average: [] }, frames: [], candidates: [],
      tiles: [tile(0), tile(90, { iterations: 640, stopped: false }), tile(180, { done: false, iterations: 0 })] });
    Object.assign(report.manifest.result, { total_seconds: 12.3, tiling: { size: 120, count: 3, done: 2, iterations: { least: 80, most: 640, mean: 360 } } });
    load({ ...document, getElementById: id => id === "data" ? { textContent: JSON.stringify(report) } : root });
    const tiled = texts.join("|");
    for (const part of ["2 of 3", "80–640", "12.3 s", "640 iterations, the picture is that of iteration 70; ended at the limit", "Dark tiles"])
      assert.ok(tiled.includes(part), `"${part}" is missing`);
    assert.ok(!tiled.includes("How the picture formed") && !tiled.includes("Chosen iteration"));
    assert.strictEqual(root.all("figure").length, 0);
    assert.deepStrictEqual(root.all("rect").map(r => r.attributes.class).filter(Boolean), ["fitted", "fitted", "undone"]);
    assert.ok(!/undefined|NaN|null/.test(tiled), tiled.match(/.{30}(undefined|NaN|null).{30}/)?.[0]);
  },
};

for (const [name, test] of Object.entries(tests)) {
  test();
  console.log("passed", name);
}
