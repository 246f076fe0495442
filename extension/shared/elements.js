/**
 * An element that the page's own HTML has.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} selector
 * @returns {T}
 */
export function $(selector) {
	const element = document.querySelector(selector);
	if (!element) {
		throw new Error(`no ${selector}`);
	}

	return /** @type {T} */ (element);
}
