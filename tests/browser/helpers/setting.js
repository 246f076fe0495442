// What most files need: a daemon, its word on the samples, a site, and one browser after the other.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { KINDS, TestBrowser } from "./browser.js";
import { Daemon, readSamples } from "./daemon.js";
import { Site } from "./site.js";

/**
 * @typedef {object} Setting
 * @property {Daemon} daemon
 * @property {string} token
 * @property {Site} site
 * @property {TestBrowser} browser  paired
 * @property {import("./daemon.js").Sample[]} samples
 * @property {import("./daemon.js").Sample[]} suspected
 */

/**
 * @param {string} title
 * @param {(setting: Setting) => void} tests  registers them; the setting is filled before the first one runs
 * @param {{paired: boolean}} [options]
 */
export function inBothBrowsers(title, tests, { paired } = { paired: true }) {
	for (const kind of KINDS) {
		describe(`${title} in ${kind}`, () => {
			const setting = /** @type {Setting} */ ({});
			before(async () => {
				const daemon = await Daemon.start();
				// First of all, so that a later failure still stops it.
				setting.daemon = daemon;
				setting.token = await daemon.token();
				setting.samples = await readSamples(daemon, setting.token);
				setting.suspected = setting.samples.filter(({ verdict }) => verdict.verdict === "suspected");
				assert.ok(setting.suspected.length > 0, "no sample is suspected: nothing here would be tested");
				assert.ok(setting.suspected.length < setting.samples.length, "every sample is suspected");
				setting.site = await Site.start(setting.samples);
				const preset = { address: daemon.address, token: setting.token };
				setting.browser = await TestBrowser.start(kind, paired ? preset : null);
			});
			after(async () => {
				await setting.browser?.stop();
				setting.site?.stop();
				await setting.daemon?.end();
			});
			tests(setting);
		});
	}
}

/** The sample's name in a picture's address. @param {{url: string}} mark */
export const fileOf = ({ url }) => new URL(url).pathname.split("/").at(-1) ?? "";

/** @param {{file: string}[]} samples */
export const filesOf = (samples) => samples.map(({ file }) => file).sort();
