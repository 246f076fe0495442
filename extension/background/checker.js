// From "this picture, on that page" to an answer: settings, cache, queue, bytes, daemon.

import * as daemon from "./daemon.js";
import { PictureFailure, readPicture } from "./picture.js";
import { CheckQueue } from "./queue.js";
import { VerdictCache, versionOf } from "./verdicts.js";
import { readSettings, siteOf } from "../shared/settings.js";
import { text } from "../shared/i18n.js";

/**
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("./picture.js").Source} Source
 */

const AT_ONCE = 3;

export class Checker {
	#queue = new CheckQueue(AT_ONCE);
	#cache = new VerdictCache();

	/** @param {Connection} connection */
	constructor(connection) {
		this.connection = connection;
	}

	/**
	 * @param {string} url
	 * @param {Priority} priority  `user`: asked by hand, whatever the settings say
	 * @param {Source} source
	 * @returns {Promise<CheckAnswer>}
	 */
	async check(url, priority, source) {
		const settings = await readSettings();
		if (priority !== "user" && settings.disabledSites.includes(siteOf(await topUrl(source)))) {
			return { status: "disabled" };
		}

		const status = await this.connection.settle();
		if (status !== "ready" && !(status === "paused" && priority === "user")) {
			return { status: status === "unknown" ? "off" : status };
		}

		const key = await keyOf(url, source);
		const { model } = this.connection;
		const known = await this.#cache.get(key, model ? versionOf(model) : "");
		const answer = known
			? this.#done(known)
			: await this.#queue.ask(key, priority, ownerOf(source), (now) => this.#check(url, key, now, source));
		return answer.status === "done" ? { ...answer, mark: markOf(answer.verdict, settings) } : answer;
	}

	/**
	 * @param {string} url
	 * @param {Source} source
	 * @returns {Promise<ExplainAnswer>}
	 */
	async explain(url, source) {
		const status = await this.connection.settle();
		if (status !== "ready" && status !== "paused") {
			return { status: status === "unknown" ? "off" : status };
		}

		return this.#guarded(async () => {
			const bytes = await readPicture(url, source);
			const explanation = await daemon.patiently(() => daemon.explain(this.connection.pairing, bytes));
			return { status: /** @type {const} */ ("done"), explanation };
		});
	}

	/** @param {Pick<Source, "tabId" | "frameId">} source */
	leave({ tabId, frameId }) {
		// A whole tab goes with its main frame.
		this.#queue.drop(frameId === 0 ? `${tabId}/` : ownerOf({ tabId, frameId }));
	}

	/**
	 * @param {string} url
	 * @param {string} key
	 * @param {Priority} priority
	 * @param {Source} source
	 * @returns {Promise<CheckAnswer>}
	 */
	#check(url, key, priority, source) {
		return this.#guarded(async () => {
			const bytes = await readPicture(url, source);
			const verdict = await daemon.patiently(() =>
				daemon.check(this.connection.pairing, bytes, priority, source.isPrivate),
			);
			if (!source.isPrivate) {
				await this.#cache.set(key, verdict);
			}

			return this.#done(verdict);
		});
	}

	/**
	 * @param {Verdict} verdict
	 * @returns {Done}
	 */
	#done(verdict) {
		return {
			status: "done",
			mark: verdict.verdict,
			declares: verdict.evidence.some(marksAi),
			verdict,
			model: this.connection.model?.title ?? verdict.model.id,
		};
	}

	/**
	 * @template T
	 * @param {() => Promise<T>} work
	 * @returns {Promise<T | Failure | NotNow>}
	 */
	async #guarded(work) {
		try {
			return await work();
		} catch (error) {
			if (error instanceof PictureFailure) {
				return { status: "error", code: error.code, message: text(`failure_${error.code}`) };
			}

			if (!(error instanceof daemon.DaemonError)) {
				return { status: "error", code: "unreadable", message: text("failure_unreadable") };
			}

			this.connection.failed(error);
			const status = daemon.STATUS_OF[error.code];
			return status
				? { status }
				: { status: "error", code: error.code, message: error.message || text("failure_unreadable") };
		}
	}
}

/**
 * @param {Verdict} verdict
 * @param {Settings} settings
 * @returns {Finding}
 */
function markOf({ verdict }, { sensitivity }) {
	return verdict === "unsure" && sensitivity === "strong" ? "none" : verdict;
}

/**
 * Content Credentials that were made for other bytes, or whose signature is broken, may be copied from another picture.
 * @param {Evidence} entry
 */
function marksAi({ declares_ai, details }) {
	return declares_ai && details.intact !== false;
}

/** @param {Pick<Source, "tabId" | "frameId">} source */
function ownerOf({ tabId, frameId }) {
	return `${tabId}/${frameId}/`;
}

/** The switch is about the page that the person sees, not about its frames. @param {Source} source */
async function topUrl({ tabId, frameId, url }) {
	return frameId === 0 ? url : (await browser.tabs.get(tabId)).url;
}

/**
 * A blob: URL means something in one page only; a data: URL is its own picture, but too long for a key. What one page
 * may see says nothing about another one's rights, so that the page's site is part of the key.
 * @param {string} url
 * @param {Source} source
 */
async function keyOf(url, source) {
	const name = url.startsWith("blob:") ? `${ownerOf(source)} ${url}` : url.startsWith("data:") ? await digest(url) : url;
	return `${source.isPrivate ? "private" : ""} ${siteOf(source.url)} ${name}`;
}

/** @param {string} text */
async function digest(text) {
	const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
	return "data:" + [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
