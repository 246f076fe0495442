/** The answer to "Check this image", by the picture. */
class Panel {
	/** @type {HTMLElement | null} */
	#element = null;
	#life = new AbortController();
	#overlay;
	/** Where the context menu was opened: which of several pictures with one URL is meant. */
	#pointer = { x: 0, y: 0 };
	/** @type {Element | null} */
	#target = null;
	#findPicture;

	/**
	 * @param {Overlay} overlay
	 * @param {(url: string) => HTMLImageElement | undefined} findPicture
	 * @param {AbortSignal} signal
	 */
	constructor(overlay, findPicture, signal) {
		this.#overlay = overlay;
		this.#findPicture = findPicture;
		addEventListener("contextmenu", (event) => {
			this.#pointer = { x: event.clientX, y: event.clientY };
			this.#target = /** @type {Element | null} */ (event.composedPath()[0] ?? null);
		}, { capture: true, passive: true, signal });
		signal.addEventListener("abort", () => this.close());
	}

	get text() {
		return this.#element?.textContent ?? null;
	}

	/**
	 * @param {string} url
	 * @param {CheckAnswer | null} answer  null: being checked
	 */
	show(url, answer) {
		this.close();
		this.#life = new AbortController();
		const { signal } = this.#life;
		const close = build("button", "close", "×");
		close.setAttribute("aria-label", translate("close"));
		close.addEventListener("click", () => this.close(), { signal });
		this.#element = answer ? buildAnswer("panel", answer) : build("div", "panel", translate("checking"));
		this.#element.append(close);
		this.#overlay.add(this.#element);
		placeBeside(this.#overlay, this.#element, this.#anchor(url));

		const options = { capture: true, signal };
		addEventListener("keydown", ({ key }) => key === "Escape" && this.close(), options);
		addEventListener("pointerdown", ({ target }) => target !== this.#overlay.element && this.close(), options);
	}

	close() {
		this.#life.abort();
		if (this.#element) {
			this.#overlay.remove(this.#element);
			this.#element = null;
		}
	}

	/** @param {string} url @returns {Box} */
	#anchor(url) {
		const target = this.#target instanceof HTMLImageElement && this.#target.currentSrc === url ? this.#target : null;
		const picture = target ?? this.#findPicture(url);
		if (!picture) {
			return { ...this.#pointer, width: 0, height: 0 };
		}

		const box = picture.getBoundingClientRect();
		return box.height < innerHeight / 2 ? box : { x: box.x + 12, y: Math.max(box.y, 0) + 36, width: 0, height: 0 };
	}
}
