import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBrowser } from "./helpers/browser.js";
import { sleep } from "./helpers/daemon.js";
import { inBothBrowsers } from "./helpers/setting.js";

/** @param {import("puppeteer-core").Page} page */
const pictureBox = (page) => page.$eval("img", (picture) => {
	const { x, y, width, height } = picture.getBoundingClientRect();
	return { x, y, width, height };
});

/** @param {PageState} state @param {{x: number, y: number}} box */
const isOn = ({ marks: [mark] }, { x, y }) =>
	mark?.visible && Math.abs(mark.rect.x - x - 8) < 2 && Math.abs(mark.rect.y - y - 8) < 2;

/** Everything that a person could see shift. @param {import("puppeteer-core").Page} page */
const layoutOf = (page) => page.evaluate(() => ({
	page: [document.documentElement.scrollWidth, document.documentElement.scrollHeight],
	boxes: [...document.body.querySelectorAll("*")].map((element) => {
		const { x, y, width, height } = element.getBoundingClientRect();
		return [element.localName, x, y, width, height].join(" ");
	}),
}));

inBothBrowsers("placement", (setting) => {
	/** A page whose first picture is suspected, and no other one. */
	async function openMarked() {
		const { browser, site, suspected, samples } = setting;
		const others = samples.filter((sample) => !suspected.includes(sample));
		const { page } = await browser.open(site.url("plain", [suspected[0], ...others].slice(0, 4)));
		await browser.untilState("a badge", page, ({ marks }) => marks.some(({ visible }) => visible));
		return page;
	}

	test("the badge goes with its picture: scrolling, resizing, moving, inner scrolling", async () => {
		const { browser } = setting;
		const page = await openMarked();
		const follows = async (/** @type {string} */ why) => {
			const before = await pictureBox(page);
			await browser.untilState(`the badge on its picture after ${why}`, page, (state) => isOn(state, before));
			return before;
		};
		const start = await follows("loading");
		await page.evaluate(() => scrollTo(0, 120));
		assert.notEqual((await follows("scrolling")).y, start.y);
		await page.setViewport({ width: 700, height: 800 });
		assert.notEqual((await follows("resizing")).x, start.x);
		await page.evaluate(() => {
			const above = document.createElement("p");
			above.style.height = "90px";
			document.body.prepend(above);
		});
		await follows("an insertion above");
		// No event tells of this one, nor is an attribute changed.
		await page.evaluate(() => document.styleSheets[0].insertRule("body { padding-top: 77px !important }", 0));
		await follows("a new style rule");
		await page.evaluate(() => {
			const article = document.querySelector("article");
			article?.insertAdjacentHTML("afterend", "<div style='height: 2000px'>");
			article?.style.setProperty("position", "fixed");
			article?.style.setProperty("inset", "20px auto auto 20px");
			scrollBy(0, 300);
		});
		await follows("becoming fixed");
		await page.close();
	});

	test("a badge is not painted over a sticky header", async () => {
		const { browser } = setting;
		const page = await openMarked();
		await page.evaluate(() => {
			const header = document.createElement("header");
			header.style.cssText = "position: sticky; top: 0; height: 90px; background: #234; z-index: 9";
			document.body.prepend(header);
		});
		await browser.untilState("a visible badge", page, ({ marks }) => marks[0].visible);
		await page.evaluate(() => scrollTo(0, (document.querySelector("img")?.getBoundingClientRect().top ?? 0) - 20));
		await browser.untilState("no visible badge", page, ({ marks }) => !marks[0].visible);
		await page.evaluate(() => scrollTo(0, 0));
		await browser.untilState("the badge again", page, ({ marks }) => marks[0].visible);
		await page.close();
	});

	test("the badge disappears with its picture, and with what it showed", async () => {
		const { browser, samples } = setting;
		const page = await openMarked();
		const harmless = samples.find(({ verdict }) => verdict.verdict === "none") ?? assert.fail();
		await page.evaluate((src) => document.querySelector("img")?.setAttribute("src", src), `/pictures/${harmless.file}`);
		await browser.untilState("no badge on another picture", page, ({ marks }) => marks.length === 0);
		await page.close();

		const second = await openMarked();
		await second.evaluate(() => document.querySelector("article")?.remove());
		await browser.untilState("no badge", second, ({ marks }) => marks.length === 0);
		assert.equal(await second.evaluate(() => document.querySelector("tellsign-overlay")), null);
		await second.close();
	});

	test("nothing on the page shifts, and the page sees one empty element", async () => {
		const { browser } = setting;
		const page = await openMarked();
		const url = page.url();
		const withMarks = await layoutOf(page);
		const host = await page.evaluate(() => {
			const element = document.querySelector("tellsign-overlay");
			return { root: element?.shadowRoot, width: element?.clientWidth, html: element?.outerHTML };
		});
		assert.deepEqual(host, { root: null, width: 0, html: '<tellsign-overlay dir="ltr"></tellsign-overlay>' });
		await page.close();

		const bare = await TestBrowser.startBare(browser.kind);
		try {
			const { page: plain } = await bare.open(url);
			assert.deepEqual(withMarks, await layoutOf(plain));
		} finally {
			await bare.stop();
		}
	});

	test("pointing at a badge shows the heatmap on the picture and the reason", async () => {
		const { browser } = setting;
		const page = await openMarked();
		const { marks: [{ rect }] } = await browser.state(page);
		const box = await pictureBox(page);
		const spots = [0.25, 0.5, 0.75].flatMap((x) => [0.45, 0.6, 0.85].map((y) => [box.x + box.width * x, box.y + box.height * y]));
		const before = await browser.screenshot(page, "before-hover");
		await page.mouse.move(rect.x + rect.width / 2, rect.y + rect.height / 2);
		const { marks: [open] } = await browser.untilState("the heatmap", page, ({ marks }) => marks[0].heatmap);
		await sleep(400);
		const after = await browser.screenshot(page, "hover");
		assert.deepEqual(open.heatmap, box);
		assert.match(open.card ?? "", /\w.+Probability \d+ % · \w/);
		let changed = 0;
		for (const [x, y] of spots) {
			const [then, now] = [await browser.pixel(before, x, y), await browser.pixel(after, x, y)];
			changed += Number(then.some((value, index) => Math.abs(value - now[index]) > 6));
		}

		assert.ok(changed > spots.length / 2, `the heatmap is painted: ${changed} of ${spots.length} spots changed`);
		await page.mouse.move(1, 1);
		await browser.untilState("it goes", page, ({ marks }) => !marks[0].card && !marks[0].heatmap);
		await page.mouse.click(rect.x + rect.width / 2, rect.y + rect.height / 2);
		await page.mouse.move(1, 1);
		await browser.untilState("a click keeps it", page, ({ marks }) => marks[0].heatmap);
		await page.keyboard.press("Escape");
		await browser.untilState("Escape closes it", page, ({ marks }) => !marks[0].card);
		await page.close();
	});

	test("Check this image answers for any picture, by the picture", async () => {
		const { browser, samples } = setting;
		const page = await openMarked();
		const harmless = samples.find(({ verdict }) => verdict.verdict === "none") ?? assert.fail();
		const url = await page.evaluate((file) => {
			const picture = document.createElement("img");
			picture.src = `/pictures/${file}?small`;
			picture.style.cssText = "width: 60px; height: 60px; position: fixed; right: 30px; top: 30px";
			document.body.append(picture);
			return picture.src;
		}, harmless.file);
		const tabId = await browser.tabId(page.url());
		await browser.ask({ type: "check-image", url, tabId, frameId: 0 });
		const { panel } = await browser.untilState("the answer", page, (now) => now.panel && !now.panel.includes("Checking"));
		assert.match(panel ?? "", /No sign of AI found/);
		assert.match(panel ?? "", /does not prove/);
		await sleep(200);
		await browser.screenshot(page, "panel");
		await page.keyboard.press("Escape");
		await browser.untilState("it closes", page, (now) => now.panel === null);

		await browser.ask({ type: "check-image", url: page.url(), tabId, frameId: 0 });
		await browser.untilState("a refusal", page, (now) => now.panel?.includes("not a picture"));
		await page.close();
	});
});
