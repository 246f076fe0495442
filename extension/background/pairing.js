import { isTellsign, pair as requestToken, DaemonError } from "./daemon.js";
import { loopbackAddress } from "../shared/settings.js";
import { text } from "../shared/i18n.js";

/** `tellsign demo` puts preset.json into its copy of the extension: paired from the start. Read once a session. */
async function takePreset() {
	const { presetTaken } = await browser.storage.session.get("presetTaken");
	if (presetTaken) {
		return;
	}

	await browser.storage.session.set({ presetTaken: true });
	try {
		const preset = await (await fetch(browser.runtime.getURL("preset.json"))).json();
		const address = loopbackAddress(preset.address);
		if (address && typeof preset.token === "string") {
			await savePairing({ address, token: preset.token });
		}
	} catch {
		// The usual case: there is none.
	}
}

/** @type {Promise<void> | undefined} */
let preset;

/** @returns {Promise<Pairing>} an empty token: not paired */
export async function readPairing() {
	preset ??= takePreset();
	await preset;
	const { pairing } = await browser.storage.local.get("pairing");
	return /** @type {Pairing | undefined} */ (pairing) ?? { address: "", token: "" };
}

/** @param {Pairing} pairing */
export async function savePairing(pairing) {
	await browser.storage.local.set({ pairing });
}

/**
 * Trades a code for a token.
 * @param {string | null} address
 * @param {string} code
 * @returns {Promise<PairAnswer>}
 */
export async function pair(address, code) {
	if (!/^\d{6}$/.test(code)) {
		return { ok: false, message: text("pairCodeShape") };
	}

	if (!address || !(await isTellsign(address))) {
		return { ok: false, message: text("panel_off") };
	}

	try {
		await savePairing({ address, token: await requestToken(address, code) });
		return { ok: true, message: text("pairDone") };
	} catch (error) {
		const message = error instanceof DaemonError ? error.message : "";
		return { ok: false, message: message || text("pairFailed") };
	}
}

/**
 * The daemon's own pairing page, and nothing else: loopback, path /pair, and tellsign answers at its port.
 * @param {chrome.runtime.MessageSender} sender
 * @returns {Promise<string | null>} address
 */
export async function pairPageAddress(sender) {
	const address = loopbackAddress(sender.url);
	const ownPage = sender.frameId === 0 && address !== null && new URL(sender.url ?? "").pathname === "/pair";
	return ownPage && (await isTellsign(address)) ? address : null;
}
