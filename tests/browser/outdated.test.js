// An extension and a daemon of different ages: a stand-in for the daemon, since the real one is as old as the extension.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { KINDS, TestBrowser } from "./helpers/browser.js";
import { until } from "./helpers/daemon.js";

for (const kind of KINDS) {
	describe(`an update is needed in ${kind}`, () => {
		/** @type {(string | string[] | undefined)[]} */
		const madeFor = [];
		let code = "daemon_too_old";
		const server = createServer((request, response) => {
			if (request.url === "/v1/health") {
				response.end(JSON.stringify({ service: "tellsign", api: 0 }));
				return;
			}

			madeFor.push(request.headers["x-tellsign-api"]);
			response.writeHead(409, { "Content-Type": "application/json" });
			response.end(JSON.stringify({ error: { code, message: "In English." } }));
		});
		/** @type {TestBrowser} */
		let browser;

		before(async () => {
			await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
			const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
			browser = await TestBrowser.start(kind, { address: `http://127.0.0.1:${port}`, token: "token" });
		});
		after(async () => {
			await browser?.stop();
			server.closeAllConnections();
			server.close();
		});

		for (const [refusal, words] of Object.entries({
			daemon_too_old: /^The Tellsign on this computer is too old/,
			client_too_old: /^This extension is too old/,
		})) {
			test(`the popup says of which of the two: ${refusal}`, async () => {
				code = refusal;
				const window = await browser.extensionPage("popup/popup.html");
				await window.setViewport({ width: 320, height: 420 });
				await window.bringToFront();
				await until("a status", () => window.evaluate(() => document.body.dataset.status === "outdated"));
				await browser.screenshot(window, `popup-${refusal}`);
				const shown = await window.$eval("[data-for=outdated]", (part) => /** @type {HTMLElement} */ (part).innerText);
				assert.match(shown.trim(), words);
				assert.ok(madeFor.length > 0);
				assert.ok(madeFor.every((number) => number === "1"), String(madeFor));
				await window.close();
			});
		}
	});
}
