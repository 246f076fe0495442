import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep, until } from "./helpers/daemon.js";
import { inBothBrowsers } from "./helpers/setting.js";

/** @param {import("puppeteer-core").Page} page */
const statusOf = (page) => page.evaluate(() => document.body.dataset.status);

inBothBrowsers("pairing", (setting) => {
	/** A popup that looks as it does from the toolbar. @param {string} name of the screenshot @param {string} [about] */
	async function popup(name, about = "") {
		const { browser } = setting;
		const page = await browser.extensionPage(`popup/popup.html${about && `?tab=${await browser.tabId(about)}`}`);
		await page.setViewport({ width: 320, height: 420 });
		await page.bringToFront();
		await until("a status", async () => (await statusOf(page)) !== "unknown");
		await browser.screenshot(page, name);
		return page;
	}

	/** The tests' daemon is at no usual port. */
	async function setAddress() {
		const { browser, daemon } = setting;
		const options = await browser.extensionPage("options/options.html");
		await options.bringToFront();
		await until("the page", () => options.$eval("#address", (input) => input === document.querySelector("input#address")));
		const save = async (/** @type {string} */ address) => {
			await options.$eval("#address", (input) => {
				/** @type {HTMLInputElement} */ (input).value = "";
			});
			await options.type("#address", address);
			await options.click("#address-form button");
			return until("a word", () => options.$eval("#address-result", (line) => line.textContent));
		};
		assert.match(await save("http://example.com:80"), /Only an address of this computer/);
		await browser.screenshot(options, "options");
		await save(daemon.address);
		await until("saved", () => options.$eval("#address-result", (line) => line.textContent === "Saved."));
		await options.close();
	}

	test("unpaired: a page costs nothing and says nothing; the popup says what to do", async () => {
		const { browser, site, suspected } = setting;
		await setAddress();
		const { page, complaints } = await browser.open(site.url("plain", suspected.slice(0, 1)));
		await browser.untilState("rest", page, ({ paused, known }) => paused && known > 0);
		assert.deepEqual(complaints, []);
		const window = await popup("popup-unpaired", page.url());
		assert.equal(await statusOf(window), "unpaired");
		await window.close();
		await page.close();
	});

	test("the popup pairs with a code, and not with a wrong one", async () => {
		const { browser, daemon, site, suspected } = setting;
		const { page } = await browser.open(site.url("plain", suspected.slice(0, 1)));
		const window = await popup("popup-pairing", page.url());
		const code = await daemon.pairingCode();
		const enter = async (/** @type {string} */ digits) => {
			await window.$eval("#code", (input) => {
				/** @type {HTMLInputElement} */ (input).value = "";
			});
			await window.type("#code", digits);
			await window.click("#pair button");
		};
		await enter(code === "000000" ? "000001" : "000000");
		await until("a refusal", () => window.$eval("#pair-result", (line) => line.textContent));
		await browser.screenshot(window, "popup-wrong-code");
		assert.equal(await statusOf(window), "unpaired");
		await enter(code);
		await until("paired", async () => (await statusOf(window)) === "ready");
		await window.close();
		await page.bringToFront();
		await browser.untilState("a badge", page, ({ marks }) => marks.length === 1);
		const connected = await popup("popup-ready", page.url());
		assert.match(await connected.$eval("#marked", (line) => line.textContent ?? ""), /1 picture marked/);
		assert.notEqual(await connected.$eval("#model", (line) => line.textContent), "");
		await connected.close();
		await page.close();
	});

	test("one click on the daemon's own page pairs", async () => {
		const { browser, daemon } = setting;
		await browser.ask({ type: "forget" });
		const { page } = await browser.open(`${daemon.address}/pair#${await daemon.pairingCode()}`);
		await until("the announcement", () => page.evaluate(() => document.documentElement.dataset.tellsign === "ready"));
		await page.click("#tellsign-pair");
		const result = await until("a result", () => page.$eval("#tellsign-result", (line) => line.textContent));
		assert.match(result, /paired/);
		await browser.screenshot(page, "pair-page");
		assert.equal((await browser.ask({ type: "status" })).status, "ready");
		await page.close();
	});

	test("no other page learns that the extension is there", async () => {
		const { browser, site } = setting;
		const { page } = await browser.open(`${site.address}/pair`);
		assert.equal(await page.evaluate(() => document.documentElement.dataset.tellsign), undefined);
		await page.close();
	});
}, { paired: false });

inBothBrowsers("connection", (setting) => {
	test("the switch takes a site out, and puts it back", async () => {
		const { browser, site, suspected } = setting;
		const { page } = await browser.open(site.url("plain", suspected.slice(0, 1)));
		await browser.untilState("a badge", page, ({ marks }) => marks.length === 1);
		const window = await browser.extensionPage(`popup/popup.html?tab=${await browser.tabId(page.url())}`);
		await window.bringToFront();
		await until("the switch", () => window.$eval("#site-row", (row) => !(/** @type {HTMLElement} */ (row).hidden)));
		await window.click("#site");
		await page.bringToFront();
		await browser.untilState("no badge", page, ({ marks }) => marks.length === 0);
		await window.bringToFront();
		await window.click("#site");
		await page.bringToFront();
		await browser.untilState("the badge", page, ({ marks }) => marks.length === 1);
		await window.close();
		await page.close();
	});

	test("open pages go with the model that is chosen", async () => {
		const { browser, daemon, token, site, suspected } = setting;
		const { page } = await browser.open(site.url("plain", suspected));
		await browser.untilState("the badges", page, ({ marks }) => marks.length === suspected.length);
		await daemon.use(token, "strict");
		await browser.untilState("fewer badges", page, ({ marks }) => marks.length === 1);
		await daemon.use(token, "lenient");
		await browser.untilState("all badges again", page, ({ marks }) => marks.length === suspected.length);
		await page.close();
	});

	test("while paused no page asks, a person may, and all goes on at the end of it", async () => {
		const { browser, daemon, token, site, suspected } = setting;
		await daemon.pause(token, true);
		await until("the word of it", async () => (await browser.ask({ type: "status" })).status === "paused");
		const title = await (await browser.inside()).evaluate(() => globalThis.browser.action.getTitle({}));
		assert.equal(title, "Tellsign is paused");
		const before = daemon.log.length;
		const { page, complaints } = await browser.open(site.url("paused", suspected));
		await browser.untilState("rest", page, ({ paused, known }) => paused && known > 0);
		assert.doesNotMatch(daemon.log.slice(before), /path=\/v1\/check/);

		const url = `${site.address}/pictures/${suspected[0].file}?on=paused`;
		await browser.ask({ type: "check-image", url, tabId: await browser.tabId(page.url()), frameId: 0 });
		await browser.untilState("the panel", page, ({ panel }) => panel?.includes("Suspected AI"));

		const window = await browser.extensionPage(`popup/popup.html?tab=${await browser.tabId(page.url())}`);
		await window.setViewport({ width: 320, height: 420 });
		await window.bringToFront();
		await until("paused", async () => (await statusOf(window)) === "paused");
		await browser.screenshot(window, "popup-paused");
		await window.click("#resume");
		await until("ready", async () => (await statusOf(window)) === "ready");
		await page.bringToFront();
		await browser.untilState("the badges", page, ({ marks }) => marks.length === suspected.length);
		assert.deepEqual(complaints, []);

		await window.bringToFront();
		await window.click("#pause");
		await until("paused again", async () => (await statusOf(window)) === "paused");
		await daemon.pause(token, false);
		await until("the end of it", async () => (await browser.ask({ type: "status" })).status === "ready");
		await window.close();
		await page.close();
	});

	test("a daemon that is off costs the page nothing, and its return is noticed", async () => {
		const { browser, daemon, site, suspected } = setting;
		await daemon.stop();
		const { page, complaints } = await browser.open(site.url("off", suspected.slice(0, 1)));
		await browser.untilState("rest", page, ({ paused, known }) => paused && known > 0);
		const state = await browser.state(page);
		assert.deepEqual(state.marks, []);
		assert.equal(await page.evaluate(() => document.querySelector("tellsign-overlay")), null);

		const window = await browser.extensionPage("popup/popup.html");
		await window.setViewport({ width: 320, height: 420 });
		await window.bringToFront();
		await until("off", async () => (await statusOf(window)) === "off");
		await browser.screenshot(window, "popup-off");
		await window.close();
		await page.bringToFront();

		const url = `${site.address}/pictures/${suspected[0].file}?on=off`;
		await browser.ask({ type: "check-image", url, tabId: await browser.tabId(page.url()), frameId: 0 });
		const { panel } = await browser.untilState("the panel", page, (now) => now.panel?.includes("Not checked"));
		assert.match(panel ?? "", /Tellsign is not running\. Start it with `tellsign serve`\./);
		await sleep(200);
		await browser.screenshot(page, "panel-off");
		assert.deepEqual(complaints, []);

		await daemon.start();
		await browser.untilState("the badge", page, ({ marks }) => marks.length === 1);
		await page.close();
	});
});
