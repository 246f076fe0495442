import "./browser.js";

export const FIRST_PORT = 28417;
export const PORT_COUNT = 10;
export const MAX_BYTES = 32 * 1024 * 1024;

/** @type {Settings} */
const DEFAULTS = { address: "", sensitivity: "strong", disabledSites: [] };

/** @returns {Promise<Settings>} */
export async function readSettings() {
	return /** @type {Settings} */ (await browser.storage.local.get({ ...DEFAULTS }));
}

/** @param {Partial<Settings>} patch */
export async function writeSettings(patch) {
	await browser.storage.local.set(patch);
}

/** @param {string | undefined} text */
export function parseUrl(text) {
	return text && URL.canParse(text) ? new URL(text) : null;
}

/**
 * The host name that the switch "on this site" is about; empty where the extension has nothing to do.
 * @param {string | undefined} url
 */
export function siteOf(url) {
	const parsed = parseUrl(url);
	return parsed && /^https?:$/.test(parsed.protocol) ? parsed.hostname : "";
}

/**
 * Pictures must never leave the machine: an address is http on loopback, or it is none.
 * @param {string | undefined} text
 * @returns {string | null} origin
 */
export function loopbackAddress(text) {
	const url = parseUrl(text);
	const good = url?.protocol === "http:" && ["127.0.0.1", "localhost"].includes(url.hostname) && !url.username;
	return good ? url.origin : null;
}

/**
 * @param {string} site
 * @param {boolean} enabled
 */
export async function switchSite(site, enabled) {
	const { disabledSites } = await readSettings();
	const others = disabledSites.filter((one) => one !== site);
	await writeSettings({ disabledSites: enabled ? others : [...others, site].sort() });
}
