import assert from "node:assert/strict";
import { test } from "node:test";
import { PUBLIC_NAME } from "./helpers/browser.js";
import { inBothBrowsers } from "./helpers/setting.js";

/**
 * All that a page can send without asking anybody. Each runs in the page and says what came of it.
 * @type {Record<string, (address: string) => Promise<string>>}
 */
const ATTACKS = {
	image: (address) => new Promise((resolve) => {
		Object.assign(new Image(), { onload: () => resolve("reached"), onerror: () => resolve("refused"), src: `${address}/v1/health` });
	}),
	script: (address) => new Promise((resolve) => {
		const script = document.createElement("script");
		Object.assign(script, { onload: () => resolve("reached"), onerror: () => resolve("refused"), src: `${address}/pair.js` });
		document.head.append(script);
	}),
	socket: (address) => new Promise((resolve) => {
		const socket = new WebSocket(`${address.replace("http", "ws")}/v1/events`);
		Object.assign(socket, { onopen: () => resolve("reached"), onerror: () => resolve("refused") });
	}),
	events: (address) => new Promise((resolve) => {
		const source = new EventSource(`${address}/v1/events`);
		Object.assign(source, { onopen: () => resolve("reached"), onerror: () => resolve("refused") });
	}),
	read: (address) => fetch(`${address}/v1/health`).then(() => "reached", () => "refused"),
	preflight: (address) => fetch(`${address}/v1/check`, { method: "POST", headers: { Authorization: "Bearer guess" }, body: "x" })
		.then(() => "reached", () => "refused"),
	// What these get is not told to the page; the daemon's log is looked at.
	blind: (address) => fetch(`${address}/v1/check`, { method: "POST", mode: "no-cors", body: "x" })
		.then(() => "unknown", () => "unknown"),
	beacon: async (address) => {
		navigator.sendBeacon(`${address}/v1/check`, "x");
		return "unknown";
	},
	form: async (address) => {
		const sink = Object.assign(document.createElement("iframe"), { name: "sink" });
		const form = document.createElement("form");
		Object.assign(form, { method: "post", enctype: "text/plain", action: `${address}/v1/pair`, target: "sink" });
		document.body.append(sink, form);
		form.submit();
		return "unknown";
	},
	module: (address) => import(`${address}/check/main.js`).then(() => "reached", () => "refused"),
	pass: (address) => fetch(`${address}/v1/page`, { method: "POST", mode: "no-cors", body: JSON.stringify({ code: "guess" }) })
		.then(() => "unknown", () => "unknown"),
	"check page": async (address) => {
		document.body.append(Object.assign(document.createElement("iframe"), { src: `${address}/check#guess` }));
		return "unknown";
	},
	frame: async (address) => {
		document.body.append(Object.assign(document.createElement("iframe"), { src: `${address}/pair` }));
		return "unknown";
	},
};

inBothBrowsers("a hostile page", (setting) => {
	test("reaches nothing, whatever way it takes and whatever name it gives the daemon", async () => {
		const { browser, daemon, site } = setting;
		const { port } = new URL(daemon.address);
		for (const name of ["127.0.0.1", "localhost", PUBLIC_NAME]) {
			const { page } = await browser.open(site.url("plain", []));
			const before = daemon.log.length;
			for (const [way, attack] of Object.entries(ATTACKS)) {
				if (way === "form" && name === PUBLIC_NAME) {
					continue; // Firefox asks the person first, in a dialog, and nothing goes on until then.
				}

				const result = await page.evaluate(attack, `http://${name}:${port}`);
				assert.ok(["refused", "unknown"].includes(result), `${way} at ${name}: ${result}`);
			}

			await page.close();
			// The extension, which is paired, asks for itself meanwhile.
			const seen = daemon.log.slice(before).split("\n").filter((line) => /status=(?!.* client=)/.test(line));
			assert.ok(seen.length > 0, "the browser sends some of it");
			assert.deepEqual(seen.filter((line) => !/status=40[0-9]/.test(line)), []);
		}
	});

	test("that has taken over a name of its own (DNS rebinding) is told nothing", async () => {
		const { browser, daemon } = setting;
		const { page } = await browser.open("about:blank");
		const address = daemon.address.replace("127.0.0.1", PUBLIC_NAME);
		for (const path of ["/v1/health", "/pair", "/check", "/v1/openapi.json"]) {
			const response = await page.goto(address + path);
			assert.equal(response?.status(), 403);
			const told = await page.evaluate(() => document.body.textContent ?? "");
			assert.doesNotMatch(told, /"version"|pairing|picture/i);
		}

		await page.close();
	});
});
