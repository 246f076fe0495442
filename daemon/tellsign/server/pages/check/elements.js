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

/**
 * Texts stay texts: what files and errors say never becomes markup.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} className
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function build(name, className, ...children) {
	const element = document.createElement(name);
	element.className = className;
	element.append(...children);
	return element;
}
