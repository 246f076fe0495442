// One function a route of the daemon's HTTP interface. Knows no state.

import { FIRST_PORT, PORT_COUNT } from "../shared/settings.js";

const USUAL = Array.from({ length: PORT_COUNT }, (_, index) => `http://127.0.0.1:${FIRST_PORT + index}`);
/** A machine that does too much at once answers late; where nothing listens, the refusal comes at once. */
const HEALTH_TIMEOUT = 5000;
/** The daemon keeps to 20 seconds; Chrome ends a worker whose fetch takes more than 30. */
const CALL_TIMEOUT = 25_000;
/** Number of the HTTP interface that this file speaks. The daemon refuses what it does not speak. */
const API = 1;
/** Errors that are over in a moment: too much to do; what makes heatmaps is being loaded. */
const PASSING = ["busy", "loading"];
const TRIES = 4;
const LONGEST_PAUSE = 5;

/** @type {Record<string, "off" | "unpaired" | "outdated" | "paused">} errors that tell of the daemon, not of one question */
export const STATUS_OF = {
	unreachable: "off",
	not_paired: "unpaired",
	client_too_old: "outdated",
	daemon_too_old: "outdated",
	paused: "paused",
};

export class DaemonError extends Error {
	/**
	 * @param {string} code  the daemon's own, or `unreachable`
	 * @param {string} message  one sentence for the person
	 * @param {number} retryAfter  seconds; 0: not said
	 */
	constructor(code, message, retryAfter = 0) {
		super(message);
		this.code = code;
		this.retryAfter = retryAfter;
	}
}

/**
 * Ask again, a few times, when the daemon says so.
 * @template T
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
export async function patiently(ask) {
	for (let tries = 1; ; tries++) {
		try {
			return await ask();
		} catch (error) {
			if (!(error instanceof DaemonError && PASSING.includes(error.code)) || tries === TRIES) {
				throw error;
			}

			const pause = Math.min(error.retryAfter || 1, LONGEST_PAUSE);
			await new Promise((resolve) => setTimeout(resolve, pause * 1000));
		}
	}
}

/** @param {string} address */
export async function isTellsign(address) {
	try {
		const response = await fetch(`${address}/v1/health`, {
			cache: "no-store",
			credentials: "omit",
			redirect: "error",
			signal: AbortSignal.timeout(HEALTH_TIMEOUT),
		});
		return (await response.json()).service === "tellsign";
	} catch {
		return false;
	}
}

/**
 * The first address that answers. The usual ones are asked at once: a refused connection takes two seconds on Windows.
 * @param {string} fixed  the only one to ask; empty: the remembered one, then the usual ports
 * @param {string} remembered
 * @returns {Promise<string | null>}
 */
export async function discover(fixed, remembered) {
	const likely = fixed || remembered;
	if (likely && (await isTellsign(likely))) {
		return likely;
	}

	const answers = fixed ? [] : await Promise.all(USUAL.map(isTellsign));
	return USUAL.find((_, index) => answers[index]) ?? null;
}

/**
 * @param {Pairing} pairing
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 */
export async function call({ address, token }, path, init = {}) {
	let response;
	try {
		response = await fetch(address + path, {
			cache: "no-store",
			credentials: "omit",
			redirect: "error",
			signal: AbortSignal.timeout(CALL_TIMEOUT),
			...init,
			headers: { ...init.headers, "X-Tellsign-Api": `${API}`, ...(token && { Authorization: `Bearer ${token}` }) },
		});
	} catch (error) {
		throw new DaemonError("unreachable", String(error));
	}

	if (response.ok) {
		return response;
	}

	const body = await response.json().catch(() => null);
	const { code = `http_${response.status}`, message = "" } = body?.error ?? {};
	throw new DaemonError(code, message, Number(response.headers.get("Retry-After")) || 0);
}

/**
 * @param {Pairing} pairing
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function callForJson(pairing, path, init) {
	const response = await call(pairing, path, init);
	try {
		return await response.json();
	} catch (error) {
		throw new DaemonError("unreachable", String(error));
	}
}

/**
 * @param {Pairing} pairing
 * @param {Blob} bytes
 * @param {Priority} priority
 * @param {boolean} isPrivate  the daemon is to keep nothing of it
 * @returns {Promise<Verdict>}
 */
export async function check(pairing, bytes, priority, isPrivate) {
	const query = `priority=${priority}&private=${Number(isPrivate)}`;
	return callForJson(pairing, `/v1/check?${query}`, { method: "POST", body: bytes });
}

/**
 * @param {Pairing} pairing
 * @param {Blob} bytes
 * @returns {Promise<Explanation>}
 */
export async function explain(pairing, bytes) {
	return callForJson(pairing, "/v1/explain", { method: "POST", body: bytes });
}

/**
 * @param {Pairing} pairing
 * @returns {Promise<ModelState>}
 */
export async function model(pairing) {
	return callForJson(pairing, "/v1/model");
}

/**
 * @param {Pairing} pairing
 * @returns {Promise<boolean>} whether only a person's own questions are answered
 */
export async function isPaused(pairing) {
	try {
		return (await callForJson(pairing, "/v1/pause")).paused;
	} catch (error) {
		if (error instanceof DaemonError && error.code === "no_such_path") {
			return false; // an older daemon, which can't be paused
		}

		throw error;
	}
}

/**
 * @param {Pairing} pairing
 * @param {boolean} paused
 */
export async function pause(pairing, paused) {
	await call(pairing, "/v1/pause", { method: "PUT", body: JSON.stringify({ paused }) });
}

/**
 * @param {string} address
 * @param {string} code
 * @returns {Promise<string>} token
 */
export async function pair(address, code) {
	const name = /Firefox\//.test(navigator.userAgent) ? "Firefox" : "Chromium";
	const { token } = await callForJson({ address, token: "" }, "/v1/pair", {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify({ code, name }),
	});
	return token;
}
