// Content scripts are classic files that share the isolated world's top-level names; the page sees none of them.

/**
 * Asks the background. Rejects with the life's end when the extension was updated or removed under our feet.
 * @template T
 * @param {PageMessage} message
 * @returns {Promise<T>}
 */
const askBackground = async (message) => browser.runtime.sendMessage(message);

/**
 * @param {string} name
 * @param {...string} substitutions
 */
const translate = (name, ...substitutions) => browser.i18n.getMessage(name, substitutions);

/** Never 100: nothing here is certain. @param {number} probability */
const percent = (probability) => String(Math.min(99, Math.round(probability * 100)));

/**
 * Bytes of a blob: URL, which nobody but this page's process can read.
 * @param {string} url
 * @returns {Promise<string | null>} base64
 */
const readBlobUrl = async (url) => {
	const limit = 32 * 1024 * 1024;
	// Firefox: only the page's own principal may open it, which `content.fetch` acts for. Chrome has no `content`.
	const { content } = /** @type {{content?: {fetch?: typeof fetch}}} */ (/** @type {unknown} */ (globalThis));
	try {
		const response = await (content?.fetch ? content.fetch(url) : fetch(url));
		const blob = await response.blob();
		return blob.size > limit ? null : await new Promise((resolve, reject) => {
			const reader = new FileReader();
			reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
			reader.onerror = reject;
			reader.readAsDataURL(blob);
		});
	} catch {
		return null;
	}
};
