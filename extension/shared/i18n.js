import "./browser.js";

/**
 * @param {string} name
 * @param {...string} substitutions
 */
export function text(name, ...substitutions) {
	return browser.i18n.getMessage(name, substitutions);
}

/** Fills every element that names its message in `data-text`, and sets the page's language. */
export function translatePage() {
	document.documentElement.lang = browser.i18n.getUILanguage();
	document.documentElement.dir = text("@@bidi_dir") || "ltr";
	for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-text]"))) {
		element.textContent = text(element.dataset.text ?? "");
	}
}
