// A picture's original bytes, as its site served them. URL, address and bytes come from a page: all hostile.

import { MAX_BYTES, parseUrl } from "../shared/settings.js";
import { mayFetch, sameSite } from "./spaces.js";

const TIMEOUT = 20_000;
const TYPES = /^(image\/(?!svg)|(application|binary)\/octet-stream\b)/;

/**
 * The frame that shows the picture.
 * @typedef {object} Source
 * @property {number} tabId
 * @property {number} frameId
 * @property {string | undefined} url
 * @property {boolean} isPrivate
 */

export class PictureFailure extends Error {
	/** @param {"notAnImage" | "tooLarge" | "blocked" | "unreadable"} code */
	constructor(code) {
		super(code);
		this.code = code;
	}
}

/**
 * @param {string} url
 * @param {Source} source
 * @returns {Promise<Blob>}
 */
export async function readPicture(url, source) {
	switch (parseUrl(url)?.protocol) {
		case "http:":
		case "https:": {
			return download(url, source);
		}

		case "data:": {
			return decodeDataUrl(url);
		}

		case "blob:": {
			return readBlob(url, source);
		}

		default: {
			throw new PictureFailure("blocked");
		}
	}
}

/**
 * @param {string} url
 * @param {Source} source
 */
async function download(url, source) {
	if (!mayFetch(url, source.url)) {
		throw new PictureFailure("blocked");
	}

	// A private window's pictures are asked for as a stranger would, and leave nothing in the cache.
	const withCookies = !source.isPrivate && sameSite(url, source.url);
	let response;
	try {
		response = await fetch(url, {
			cache: source.isPrivate ? "no-store" : "force-cache",
			credentials: withCookies ? "include" : "omit",
			referrerPolicy: "no-referrer",
			signal: AbortSignal.timeout(TIMEOUT),
		});
	} catch {
		throw new PictureFailure("unreadable");
	}

	try {
		if (!mayFetch(response.url, source.url)) {
			throw new PictureFailure("blocked");
		}

		if (!response.ok || !response.body) {
			throw new PictureFailure("unreadable");
		}

		if (!TYPES.test(response.headers.get("Content-Type") ?? "application/octet-stream")) {
			throw new PictureFailure("notAnImage");
		}

		return await readLimited(response.body);
	} catch (error) {
		response.body?.cancel().catch(() => {});
		throw error instanceof PictureFailure ? error : new PictureFailure("unreadable");
	}
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
async function readLimited(body) {
	const reader = body.getReader();
	/** @type {Uint8Array<ArrayBuffer>[]} */
	const parts = [];
	let size = 0;
	for (;;) {
		const { done, value } = await reader.read();
		if (done) {
			return new Blob(parts);
		}

		size += value.byteLength;
		if (size > MAX_BYTES) {
			await reader.cancel();
			throw new PictureFailure("tooLarge");
		}

		parts.push(value);
	}
}

/** @param {string} url */
function decodeDataUrl(url) {
	const comma = url.indexOf(",");
	const head = url.slice("data:".length, comma);
	if (!TYPES.test(head)) {
		throw new PictureFailure("notAnImage");
	}

	const data = decodeURIComponent(url.slice(comma + 1));
	return /;\s*base64\s*$/i.test(head)
		? decodeBase64(data)
		: new Blob([Uint8Array.from(data, (character) => character.charCodeAt(0))]);
}

/**
 * Only the page's own process can read a blob: URL.
 * @param {string} url
 * @param {Source} source
 */
async function readBlob(url, { tabId, frameId }) {
	/** @type {string | null} */
	const base64 = await browser.tabs.sendMessage(tabId, { type: "read", url }, { frameId });
	if (!base64) {
		throw new PictureFailure("unreadable");
	}

	return decodeBase64(base64);
}

/** @param {string} base64 */
function decodeBase64(base64) {
	if (base64.length > MAX_BYTES * 4 / 3 + 4) {
		throw new PictureFailure("tooLarge");
	}

	try {
		return new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
	} catch {
		throw new PictureFailure("unreadable");
	}
}
