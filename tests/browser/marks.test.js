import assert from "node:assert/strict";
import { test } from "node:test";
import { PUBLIC_NAME } from "./helpers/browser.js";
import { declaringAi, until } from "./helpers/daemon.js";
import { fileOf, filesOf, inBothBrowsers } from "./helpers/setting.js";
import { Site } from "./helpers/site.js";

const RED = [179, 18, 29];
const PETROL = [11, 92, 115];

/** @param {PageState} state */
const marked = (state) => state.marks.map(fileOf).sort();

/** @param {number[]} a @param {number[]} b */
const isLike = (a, b) => a.every((value, index) => Math.abs(value - b[index]) < 12);

inBothBrowsers("marks", (setting) => {
	/**
	 * Scrolls down in steps, as a person does, until the page ends.
	 * @param {import("puppeteer-core").Page} page
	 */
	async function readThrough(page) {
		await page.evaluate(async () => {
			for (let y = 0; y < document.documentElement.scrollHeight; y += 400) {
				scrollTo(0, y);
				await new Promise((resolve) => setTimeout(resolve, 120));
			}

			scrollTo(0, 0);
		});
	}

	test("suspected pictures get a badge with the daemon's figure, and nothing else does", async () => {
		const { browser, site, samples, suspected } = setting;
		const { page, complaints } = await browser.open(site.url("plain", samples));
		await readThrough(page);
		const state = await browser.untilState("badges", page, ({ marks }) => marks.length >= suspected.length);
		assert.deepEqual(marked(state), filesOf(suspected));
		for (const mark of state.marks) {
			const { verdict } = suspected.find(({ file }) => file === fileOf(mark)) ?? assert.fail();
			assert.equal(mark.text, `Suspected AI ${Math.min(99, Math.round(verdict.probability * 100))} %`);
		}

		await page.evaluate((name) => document.querySelector(`img[src*="${name}"]`)?.scrollIntoView({ block: "center" }),
			suspected[0].file);
		const { marks } = await browser.untilState("a visible badge", page, (now) => now.marks.some(({ visible }) => visible));
		const { rect } = marks.find((mark) => fileOf(mark) === suspected[0].file && mark.visible) ?? assert.fail();
		const picture = await browser.screenshot(page, "badges");
		assert.ok(isLike(await browser.pixel(picture, rect.x + 5, rect.y + rect.height / 2), RED), "the badge is painted");
		assert.deepEqual(complaints, []);
		await page.close();
	});

	for (const name of ["lazy", "endless"]) {
		test(`${name} pictures get theirs when they come`, async () => {
			const { browser, site, samples, suspected } = setting;
			// The suspected ones last: they are those that come late.
			const order = [...samples].sort((a, b) => Number(suspected.includes(a)) - Number(suspected.includes(b)));
			const { page } = await browser.open(site.url(name, order));
			await readThrough(page);
			await readThrough(page);
			const state = await browser.untilState("badges", page, ({ marks }) => marks.length >= suspected.length);
			assert.deepEqual(marked(state), filesOf(suspected));
			await page.close();
		});
	}

	test("a page with a strict content policy", async () => {
		const { browser, site, suspected } = setting;
		const { page, complaints } = await browser.open(site.url("strict", suspected.slice(0, 1)));
		const { marks } = await browser.untilState("a badge", page, (now) => now.marks.some(({ visible }) => visible));
		const picture = await browser.screenshot(page, "strict");
		const [{ rect }] = marks;
		assert.ok(isLike(await browser.pixel(picture, rect.x + 5, rect.y + rect.height / 2), RED), "the badge has its style");
		assert.deepEqual(complaints.filter((line) => !line.includes("favicon") && !line.includes("data:,")), []);
		await page.close();
	});

	test("pictures of another origin", async () => {
		const { browser, site, samples, suspected } = setting;
		const other = await Site.start(samples);
		try {
			const { page } = await browser.open(site.url("foreign", suspected.slice(0, 1), other.address));
			const state = await browser.untilState("a badge", page, ({ marks }) => marks.length === 1);
			assert.equal(new URL(state.marks[0].url).origin, other.address);
			await page.close();
		} finally {
			other.stop();
		}
	});

	for (const scheme of ["data", "blob"]) {
		test(`a ${scheme}: picture`, async () => {
			const { browser, site, suspected } = setting;
			const { page } = await browser.open(site.url("plain", []));
			await page.evaluate(async (kind, address) => {
				const blob = await (await fetch(address)).blob();
				const picture = document.createElement("img");
				picture.width = 400;
				picture.src = kind === "blob" ? URL.createObjectURL(blob) : await new Promise((resolve) => {
					const reader = new FileReader();
					reader.onload = () => resolve(String(reader.result));
					reader.readAsDataURL(blob);
				});
				document.body.append(picture);
			}, scheme, `/pictures/${suspected[0].file}`);
			const state = await browser.untilState("a badge", page, ({ marks }) => marks.length === 1);
			assert.ok(state.marks[0].url.startsWith(`${scheme}:`));
			await page.close();
		});
	}

	test("a public page cannot send the extension to a private address", async () => {
		const { browser, site, samples, suspected } = setting;
		const inner = await Site.start(samples);
		try {
			const address = site.url("plain", []).replace("127.0.0.1", PUBLIC_NAME);
			const { page } = await browser.open(address);
			const url = `${inner.address}/pictures/${suspected[0].file}`;
			await browser.ask({ type: "check-image", url, tabId: await browser.tabId(address), frameId: 0 });
			const { panel } = await browser.untilState("the answer", page, (now) => now.panel?.includes("Not checked"));
			assert.match(panel ?? "", /may not send Tellsign/);
			assert.deepEqual(inner.requests, []);
			await page.close();
		} finally {
			inner.stop();
		}
	});

	test("invisible twins and small pictures are left alone", async () => {
		const { browser, site, suspected } = setting;
		const { page } = await browser.open(site.url("plain", suspected.slice(0, 1)));
		await browser.untilState("a badge", page, ({ marks }) => marks.some(({ visible }) => visible));
		await page.evaluate(() => {
			const picture = document.querySelector("img") ?? document.createElement("img");
			const parent = picture.parentElement ?? document.body;
			parent.style.position = "relative";
			const styles = ["opacity: 0", "visibility: hidden", "display: none", ""];
			for (const style of styles) {
				const twin = document.createElement("img");
				twin.src = picture.src;
				twin.style.cssText = `position: absolute; left: ${picture.offsetLeft}px; top: ${picture.offsetTop}px;
					width: ${picture.offsetWidth}px; height: ${picture.offsetHeight}px; ${style}`;
				parent.append(twin);
			}

			const small = document.createElement("img");
			small.src = picture.src;
			small.style.cssText = "width: 100px; height: 100px";
			document.body.append(small);
		});
		await browser.untilState("the twins' answers", page, ({ known, marks }) => known === 6 && marks.length > 1);
		const { marks } = await until("one badge", async () => {
			const state = await browser.state(page);
			return state.marks.filter(({ visible }) => visible).length === 1 ? state : null;
		});
		assert.ok(marks.length < 6, "the small one is not even asked about");
		await page.close();
	});

	test("a file that declares AI has a mark of its own, whatever the detector says", async () => {
		const { browser, daemon, token, samples, suspected } = setting;
		const plain = samples.find(({ verdict }) => verdict.verdict === "none") ?? assert.fail();
		const declaring = await Promise.all([plain, suspected[0]].map(async ({ file, bytes }) => {
			const changed = declaringAi(bytes);
			return { file, bytes: changed, verdict: await daemon.check(token, changed) };
		}));
		const site = await Site.start(declaring);
		try {
			const { page, complaints } = await browser.open(site.url("plain", declaring));
			const { marks } = await browser.untilState("both marks", page, (now) => now.marks.length === 2);
			assert.ok(marks.every(({ declares }) => declares));
			const own = marks.find((mark) => fileOf(mark) === plain.file) ?? assert.fail();
			assert.equal(own.mark, "none");
			assert.equal(own.text, "", "the detector's own word is not on the badge");
			await page.mouse.move(own.rect.x + own.rect.width / 2, own.rect.y + own.rect.height / 2);
			const opened = await browser.untilState("the card", page, (now) => now.marks.some(({ card }) => card));
			const { card } = opened.marks.find((mark) => mark.card) ?? assert.fail();
			assert.match(card ?? "", /No sign of AI found.*The file says of itself:.*IPTC data, unsigned: AI/s);
			const picture = await browser.screenshot(page, "declared");
			assert.ok(isLike(await browser.pixel(picture, own.rect.x + 5, own.rect.y + own.rect.height / 2), PETROL));
			assert.deepEqual(complaints, []);
			await page.close();
		} finally {
			site.stop();
		}
	});

	test("a file that says nothing of itself is told to mean nothing", async () => {
		const { browser, site, samples } = setting;
		const [{ file }] = samples.filter(({ verdict }) => verdict.evidence.length === 0);
		const address = site.url("plain", []);
		const { page } = await browser.open(address);
		const url = `${site.address}/pictures/${file}`;
		await browser.ask({ type: "check-image", url, tabId: await browser.tabId(address), frameId: 0 });
		const { panel } = await browser.untilState("the answer", page, (now) => now.panel?.includes("The file says nothing"));
		assert.match(panel ?? "", /That means nothing: metadata is easily stripped\./);
		await page.close();
	});

	test("unsure pictures are marked only for who asks for it", async () => {
		const { browser: tested, site, samples, suspected } = setting;
		const unsure = samples.filter(({ verdict }) => verdict.verdict === "unsure").slice(0, 1);
		const shown = [...unsure, suspected[0]];
		const choose = async (/** @type {Sensitivity} */ sensitivity) =>
			(await tested.inside()).evaluate((value) => browser.storage.local.set({ sensitivity: value }), sensitivity);
		const { page } = await tested.open(site.url("plain", shown));
		await tested.untilState("only the strong sign", page, (now) => marked(now).join() === suspected[0].file);
		await choose("unsure");
		const both = await tested.untilState("both", page, ({ marks }) => marks.length === shown.length);
		assert.deepEqual(both.marks.map(({ mark }) => mark).sort(), [...unsure.map(() => "unsure"), "suspected"].sort());
		await tested.screenshot(page, "unsure");
		await choose("strong");
		await tested.untilState("one again", page, ({ marks }) => marks.length === 1);
		await page.close();
	});
});
