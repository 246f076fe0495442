// The daemon's own page, opened as `tellsign open` says.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { WORDS } from "../../daemon/tellsign/server/pages/check/words.js";
import { declaringAi, ROOT, until } from "./helpers/daemon.js";
import { inBothBrowsers } from "./helpers/setting.js";

/** @typedef {import("puppeteer-core").Page} Page */

const SAMPLES = path.join(ROOT, "daemon/tellsign/demo/samples");

test("the page says what the extension says, in both languages", async () => {
	assert.deepEqual(Object.keys(WORDS.en), Object.keys(WORDS.de));
	for (const [language, words] of Object.entries(WORDS)) {
		const messages = JSON.parse(await readFile(path.join(ROOT, `extension/_locales/${language}/messages.json`), "utf8"));
		const shared = Object.keys(words).filter((name) => name in messages);
		assert.ok(shared.length > 30);
		for (const name of shared) {
			assert.equal(words[name], messages[name].message, name);
		}
	}
});

test("the page describes evidence and draws heat by the extension's own text", async () => {
	for (const [file, from, to] of [["evidence.js", "const MADE", ""], ["heatmap.js", "/** Stops", "/** The heat,"]]) {
		const [ours, theirs] = await Promise.all(["daemon/tellsign/server/pages/check", "extension/content"].map(async (folder) => {
			const source = (await readFile(path.join(ROOT, folder, file), "utf8")).replaceAll("export const", "const");
			return source.slice(source.indexOf(from), to ? source.indexOf(to) : undefined);
		}));
		assert.ok(ours.length > 1500);
		assert.equal(ours, theirs);
	}
});

/** @param {Page} page @param {...string} files */
async function choose(page, ...files) {
	const input = /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (await page.$("#file"));
	await input.uploadFile(...files);
}

/** The words of each answer, when none is being worked on. @param {Page} page @param {number} count */
const answers = (page, count) => until(`${count} answers`, () => page.evaluate((wanted) => {
	const all = [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".answer"))];
	const busy = document.querySelector(".progress:not([hidden])");
	return all.length === wanted && !busy ? all.map((one) => one.innerText) : null;
}, count));

/** What a page can give away. @param {Page} page */
const shownOf = (page) => page.evaluate(() => ({
	address: location.href,
	door: (document.querySelector("#closed:not([hidden])") ?? document.querySelector("#drop:not([hidden])"))?.id,
	told: document.querySelector("#closed")?.textContent,
}));

inBothBrowsers("the check page", (setting) => {
	test("gives verdict, evidence and heatmap of one picture after the other, and sentences for what is none", async () => {
		const { browser, daemon, samples, suspected } = setting;
		const cleared = samples.find(({ verdict }) => verdict.verdict === "none");
		assert.ok(cleared);
		const says = path.join(daemon.state, "says so.jpg");
		const broken = path.join(daemon.state, "broken.jpg");
		await writeFile(says, declaringAi(cleared.bytes));
		await writeFile(broken, "<script>alert(1)</script>");

		const { page, complaints } = await browser.open(await daemon.checkPage());
		await until("the door", async () => (await shownOf(page)).door === "drop");
		assert.equal((await shownOf(page)).address, `${daemon.address}/check`);
		await choose(page, path.join(SAMPLES, suspected[0].file), says, broken);
		const [first, second, third] = await answers(page, 3);
		await browser.screenshot(page, "check-page");
		const figure = Math.min(99, Math.round(suspected[0].verdict.probability * 100));
		assert.match(first, new RegExp(`Suspected AI ${figure} %`));
		assert.match(first, /Looks generated: .* The strongest signs are/);
		assert.match(first, /The file says nothing of itself/);
		assert.match(first, /LeViT-128S[^]*JPEG, \d+ × \d+ pixels, checked in \d+ ms/);
		assert.match(second, /No sign of AI found\s*Declares AI[^]*IPTC data, unsigned: AI[^]*does not prove that the picture is real/);
		assert.match(third, /Not checked\s*The file is not a picture\./);
		assert.deepEqual(complaints.filter((line) => !/status of 415|favicon/.test(line)), []);

		const heat = await page.$$eval(".answer", (all) => all.map((one) => {
			const box = one.querySelector(".heat")?.getBoundingClientRect();
			const picture = one.querySelector(".picture")?.getBoundingClientRect();
			return box && picture ? [box.width - picture.width, box.height - picture.height, box.width > 100] : null;
		}));
		assert.deepEqual(heat, [[0, 0, true], null, null]);
		await page.click(".answer:first-child .signs input");
		assert.equal(await page.$eval(".heat", (element) => element.getBoundingClientRect().width), 0);
		await page.click(".answer:nth-child(2) .signs input");
		await until("the heatmap of a picture without signs", () => page.$(".answer:nth-child(2) .heat"));

		await page.setViewport({ width: 390, height: 800 });
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 390));
		await page.reload();
		await until("the door, after a reload", async () => (await shownOf(page)).door === "drop");
		// The extension sees no picture there to mark.
		assert.equal((await browser.state(page)).known, 0);
		await page.close();
	});

	test("takes what is dropped and what is pasted, and goes nowhere", async () => {
		const { browser, daemon, suspected } = setting;
		const { page } = await browser.open(await daemon.checkPage());
		await until("the door", async () => (await shownOf(page)).door === "drop");
		await page.evaluate((base64) => {
			const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
			const carry = (/** @type {string} */ name) => {
				const carried = new DataTransfer();
				carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
				return carried;
			};
			const empty = new DataTransfer();
			empty.setData("text/uri-list", "https://example.com/a.jpg");
			const drop = (/** @type {DataTransfer} */ dataTransfer) =>
				document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
			drop(carry("dropped.jpg"));
			// Firefox lets nobody make a paste with files in it.
			const paste = new ClipboardEvent("paste", { bubbles: true });
			Object.defineProperty(paste, "clipboardData", { value: carry("image.png") });
			document.body.dispatchEvent(paste);
			if (drop(empty)) {
				throw new Error("the browser would go there");
			}
		}, suspected[0].bytes.toString("base64"));
		assert.match(await page.$eval("#told", (line) => line.textContent ?? ""), /There was no picture file in that/);
		const [pasted, dropped] = await answers(page, 2);
		assert.match(dropped, /^dropped\.jpg\s+Suspected AI/m);
		assert.match(pasted, /Pasted picture\s+Suspected AI[^]*Browsers paste a copy/);
		await page.close();
	});

	test("opens nothing by its address alone, nor twice by one code, nor for an older daemon's pass", async () => {
		const { browser, daemon, site } = setting;
		const address = await daemon.checkPage();
		const { page } = await browser.open(address);
		await until("the door", async () => (await shownOf(page)).door === "drop");
		const { page: second } = await browser.open(address);
		await until("the refusal", async () => /used already/.test((await shownOf(second)).told ?? ""));
		await second.goto(`${daemon.address}/check`);
		await until("the advice", async () => /tellsign open/.test((await shownOf(second)).told ?? ""));
		assert.equal(await second.$(".answer"), null);

		// Another site's page can neither link to it nor frame it.
		await second.goto(site.url("plain", []));
		const linked = second.waitForResponse((response) => response.url() === `${daemon.address}/check`);
		await second.evaluate((target) => {
			location.href = target;
		}, `${daemon.address}/check`);
		assert.equal((await linked).status(), 403);
		await second.close();

		assert.ok(!daemon.log.includes(address.split("#")[1]));

		await daemon.stop();
		await daemon.start();
		await page.bringToFront();
		await choose(page, path.join(SAMPLES, "ai-rocket.jpg"));
		assert.match((await answers(page, 1))[0], /Not checked\s+This page's time is over/);
		assert.equal((await shownOf(page)).door, "closed");
		await page.close();
	});
});
