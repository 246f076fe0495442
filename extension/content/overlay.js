/**
 * The one element that the page can see of us: empty, without size, its content in a closed shadow root. It is in the
 * document only while there is something to show. Coordinates in it are the page's, so that scrolling costs nothing.
 */
class Overlay {
	#host = document.createElement("tellsign-overlay");
	#root = this.#host.attachShadow({ mode: "closed" });

	/** @param {AbortSignal} signal */
	constructor(signal) {
		this.#host.dir = translate("@@bidi_dir");
		// A style element would fall under the page's CSP; a constructed sheet does not.
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(STYLE);
		this.#root.adoptedStyleSheets = [sheet];
		// What a person does on a badge is not the page's business.
		for (const type of ["click", "dblclick", "mousedown", "mouseup", "pointerdown", "pointerup", "keydown", "keyup",
			"touchstart", "touchend", "contextmenu"]) {
			this.#root.addEventListener(type, (event) => event.stopPropagation());
		}

		signal.addEventListener("abort", () => this.#host.remove());
	}

	get element() {
		return this.#host;
	}

	/** @param {Element[]} elements */
	add(...elements) {
		this.#root.append(...elements);
		this.attach();
	}

	/** @param {Element[]} elements */
	remove(...elements) {
		for (const element of elements) {
			element.remove();
		}

		if (this.#root.childElementCount === 0) {
			this.#host.remove();
		}
	}

	/** Again, where the page threw us out with its old content. */
	attach() {
		if (!this.#host.isConnected && this.#root.childElementCount > 0) {
			document.documentElement.append(this.#host);
		}
	}

	/** Of the overlay's coordinates, in the viewport. */
	get origin() {
		const { x, y } = this.#host.getBoundingClientRect();
		return { x, y };
	}

	/**
	 * Writes only what changed.
	 * @param {HTMLElement} element
	 * @param {Partial<Box>} box  in the viewport
	 */
	place(element, { x = 0, y = 0, width, height }) {
		const { x: left, y: top } = this.origin;
		const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
		const values = {
			left: `${round(x - left)}px`,
			top: `${round(y - top)}px`,
			...(width !== undefined && { width: `${round(width)}px` }),
			...(height !== undefined && { height: `${round(height)}px` }),
		};
		for (const [name, value] of Object.entries(values)) {
			if (element.style.getPropertyValue(name) !== value) {
				element.style.setProperty(name, value);
			}
		}
	}
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(Node | string)} children
 */
const build = (tag, className, ...children) => {
	const element = document.createElement(tag);
	element.className = className;
	element.append(...children);
	return element;
};
