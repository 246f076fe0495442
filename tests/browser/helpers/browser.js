// A real browser with the extension in it. The same few methods for Chromium (CDP) and Firefox (WebDriver BiDi).

import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { ROOT, until } from "./daemon.js";

/** @typedef {"chromium" | "firefox"} Kind */
/** @type {Kind[]} */
export const KINDS = ["chromium", "firefox"];
/** Resolves to this machine, looks public. */
export const PUBLIC_NAME = "public.example";

const FIREFOX_UUID = "6f7b3c1a-2d58-4c7e-9a41-5e0c7f1d2b93";
const CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
	"--disable-sync", "--no-first-run", "--lang=en", `--host-resolver-rules=MAP ${PUBLIC_NAME} 127.0.0.1`];

/**
 * @param {Kind} kind
 * @param {string | null} extension  folder
 */
function launch(kind, extension) {
	const common = { headless: true, defaultViewport: { width: 1000, height: 800 } };
	if (kind === "chromium") {
		return puppeteer.launch({
			...common,
			executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
			pipe: true,
			enableExtensions: extension ? [extension] : false,
			args: CHROMIUM_FLAGS,
		});
	}

	return puppeteer.launch({
		...common,
		browser: "firefox",
		executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
		// Without it the driver may not open the extension's pages.
		args: ["--remote-allow-system-access"],
		extraPrefsFirefox: {
			// The address of the extension's pages, otherwise random.
			"extensions.webextensions.uuids": JSON.stringify({ "extension@tellsign.local": FIREFOX_UUID }),
			"network.dns.localDomains": PUBLIC_NAME,
			"intl.locale.requested": "en-US",
		},
	});
}

export class TestBrowser {
	/** @type {import("puppeteer-core").Page | null} */
	#inside = null;

	/**
	 * @param {Kind} kind
	 * @param {import("puppeteer-core").Browser} browser
	 * @param {string} base  address of the extension's pages
	 * @param {string} folder  to be removed
	 */
	constructor(kind, browser, base, folder) {
		this.kind = kind;
		this.browser = browser;
		this.base = base;
		this.folder = folder;
	}

	/**
	 * @param {Kind} kind
	 * @param {{address: string, token: string} | null} preset  paired from the start
	 */
	static async start(kind, preset) {
		const folder = await mkdtemp(path.join(tmpdir(), "tellsign-extension-"));
		await cp(path.join(ROOT, "extension"), folder, { recursive: true });
		if (preset) {
			await writeFile(path.join(folder, "preset.json"), JSON.stringify(preset));
		}

		const browser = await launch(kind, folder);
		let base = `moz-extension://${FIREFOX_UUID}/`;
		if (kind === "firefox") {
			await browser.installExtension(folder);
		} else {
			const worker = await browser.waitForTarget((target) => target.type() === "service_worker");
			base = new URL("/", worker.url()).href;
		}

		return new TestBrowser(kind, browser, base, folder);
	}

	/** For comparison. @param {Kind} kind */
	static async startBare(kind) {
		return new TestBrowser(kind, await launch(kind, null), "", "");
	}

	async stop() {
		await this.browser.close();
		if (this.folder) {
			await rm(this.folder, { recursive: true, force: true });
		}
	}

	/**
	 * A web page, in front.
	 * @param {string} url
	 */
	async open(url) {
		await (this.base && this.inside());
		const page = await this.browser.newPage();
		/** @type {string[]} */
		const complaints = [];
		page.on("console", (message) => {
			if (["error", "warn"].includes(message.type())) {
				complaints.push(message.text());
			}
		});
		page.on("pageerror", (error) => complaints.push(String(error)));
		await page.goto(url);
		await page.bringToFront();
		return { page, complaints };
	}

	/** A page of the extension, in which the tests may call what the extension may call. */
	async inside() {
		this.#inside ??= await this.extensionPage("popup/popup.html");
		return this.#inside;
	}

	/** @param {string} name */
	async extensionPage(name) {
		const page = await this.browser.newPage();
		const address = this.base + name;
		if (this.kind === "chromium") {
			await page.goto(address);
		} else {
			// Firefox changes the process under the driver, which then never hears of the end of this navigation.
			page.goto(address, { timeout: 2000 }).catch(() => {});
			await until(name, () => page.evaluate((wanted) =>
				location.href === wanted && document.readyState === "complete", address));
		}

		return page;
	}

	/** @param {string} url  beginning of the page's address */
	async tabId(url) {
		return (await this.inside()).evaluate(async (start) => {
			const tabs = await browser.tabs.query({});
			return tabs.findLast((tab) => tab.url?.startsWith(start))?.id ?? -1;
		}, url);
	}

	/**
	 * What the content script of a page shows; pages cannot ask this.
	 * @param {import("puppeteer-core").Page} page
	 * @returns {Promise<PageState>}
	 */
	async state(page) {
		const id = await this.tabId(page.url());
		return (await this.inside()).evaluate((tab) => browser.tabs.sendMessage(tab, { type: "state" }, { frameId: 0 }), id);
	}

	/**
	 * @param {string} what
	 * @param {import("puppeteer-core").Page} page
	 * @param {(state: PageState) => unknown} condition
	 */
	async untilState(what, page, condition) {
		return until(`${what} in ${this.kind}`, async () => {
			const state = await this.state(page);
			if (!condition(state)) {
				throw new Error(JSON.stringify(state));
			}

			return state;
		});
	}

	/** @param {ExtensionMessage} message */
	async ask(message) {
		return (await this.inside()).evaluate((sent) => browser.runtime.sendMessage(sent), message);
	}

	/**
	 * @param {import("puppeteer-core").Page} page
	 * @param {string} name  kept under $SCREENSHOTS
	 */
	async screenshot(page, name) {
		const bytes = await page.screenshot();
		if (process.env.SCREENSHOTS) {
			await mkdir(process.env.SCREENSHOTS, { recursive: true });
			await writeFile(path.join(process.env.SCREENSHOTS, `${this.kind}-${name}.png`), bytes);
		}

		return bytes;
	}

	/**
	 * @param {Uint8Array} png
	 * @param {number} x
	 * @param {number} y
	 * @returns {Promise<number[]>} red, green, blue
	 */
	async pixel(png, x, y) {
		const base64 = Buffer.from(png).toString("base64");
		return (await this.inside()).evaluate(async (text, left, top) => {
			const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
			const image = await createImageBitmap(new Blob([bytes]));
			const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
			context?.drawImage(image, 0, 0);
			return [...(context?.getImageData(left, top, 1, 1).data.slice(0, 3) ?? [])];
		}, base64, Math.round(x), Math.round(y));
	}
}
