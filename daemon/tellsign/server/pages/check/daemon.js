// What the page asks of the daemon, with a pass that it keeps in this tab alone.

const KEY = "tellsign-pass";
/** The daemon keeps to 20 seconds. */
const TIMEOUT = 25_000;
/** How often a first heatmap is asked for while what makes it is loaded, and the milliseconds in between. */
const TRIES = 4;
const PAUSE = 2000;

export class DaemonError extends Error {
	/**
	 * @param {string} code  the daemon's own, or `unreachable`
	 * @param {string} message  one sentence for the person, in English
	 * @param {number} status  0: no answer
	 */
	constructor(code, message, status = 0) {
		super(message);
		this.code = code;
		this.status = status;
	}
}

/** @type {Map<string, string>} */
const titles = new Map();

/**
 * A code in the address is traded for a pass, and leaves the address at once: it would be shown, bookmarked and kept.
 * @returns {Promise<boolean>} whether there is a pass; one of before may have ended
 */
export async function enter() {
	const code = location.hash.slice(1);
	if (code) {
		history.replaceState(null, "", location.pathname);
		const { token } = await (await call("/v1/page", JSON.stringify({ code }))).json();
		sessionStorage.setItem(KEY, token);
	}

	return hasPass();
}

export const hasPass = () => sessionStorage.getItem(KEY) !== null;

/**
 * As a private window asks: nothing of what a person looks at here is kept.
 * @param {ArrayBuffer} bytes
 * @returns {Promise<Verdict & Facts>}
 *
 * @typedef {object} Facts
 * @property {{format: string, width: number, height: number}} picture
 * @property {{total: number}} timings  milliseconds
 */
export async function check(bytes) {
	return (await call("/v1/check?priority=user&private=1", bytes)).json();
}

/**
 * @param {ArrayBuffer} bytes
 * @returns {Promise<Explanation>}
 */
export async function explain(bytes) {
	for (let tries = 1; ; tries++) {
		try {
			return await (await call("/v1/explain", bytes)).json();
		} catch (error) {
			if (!(error instanceof DaemonError && error.code === "loading") || tries === TRIES) {
				throw error;
			}

			await new Promise((resolve) => setTimeout(resolve, PAUSE));
		}
	}
}

/** What people call a model. @param {string} id */
export async function titleOf(id) {
	if (!titles.has(id)) {
		/** @type {{models: ModelInfo[]}} */
		const { models } = await (await call("/v1/model", null)).json();
		for (const model of models) {
			titles.set(model.id, model.title);
		}
	}

	return titles.get(id) ?? id;
}

/**
 * @param {string} path
 * @param {BodyInit | null} body  null: GET
 */
async function call(path, body) {
	const pass = sessionStorage.getItem(KEY);
	let response;
	try {
		response = await fetch(path, {
			method: body === null ? "GET" : "POST",
			body,
			cache: "no-store",
			credentials: "omit",
			redirect: "error",
			headers: pass ? { Authorization: `Bearer ${pass}` } : {},
			signal: AbortSignal.timeout(TIMEOUT),
		});
	} catch (error) {
		throw new DaemonError("unreachable", String(error));
	}

	if (response.ok) {
		return response;
	}

	if (response.status === 401) {
		sessionStorage.removeItem(KEY);
	}

	const answer = await response.json().catch(() => null);
	const { code = "", message = "" } = answer?.error ?? {};
	throw new DaemonError(code, message, response.status);
}
