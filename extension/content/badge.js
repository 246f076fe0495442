const SPARK = "M8 0c.7 4.6 2.4 6.6 8 8-5.6 1.4-7.3 3.4-8 8-.7-4.6-2.4-6.6-8-8 5.6-1.4 7.3-3.4 8-8z";
const HOVER_DELAY = 120;
const INSET = 8;
const NARROW = 190;

const drawSpark = () => {
	const space = "http://www.w3.org/2000/svg";
	const svg = document.createElementNS(space, "svg");
	const path = document.createElementNS(space, "path");
	svg.setAttribute("viewBox", "0 0 16 16");
	svg.setAttribute("aria-hidden", "true");
	path.setAttribute("d", SPARK);
	svg.append(path);
	return svg;
};

/** The file's own word, a mark apart from the detector's. */
const buildDeclared = () => build("span", "declared", translate("declaresAi"));

/** One badge on one picture; when it is pointed at, focused or pressed, the reason and the heatmap. */
class Badge {
	/** @type {HTMLButtonElement} */
	element;
	/** @type {HTMLElement} */
	#card;
	/** @type {Heatmap | null} */
	#heatmap = null;
	/** @type {Promise<void> | null} */
	#explaining = null;
	#open = false;
	#pinned = false;
	#life = new AbortController();
	#overlay;

	/**
	 * @param {Overlay} overlay
	 * @param {HTMLImageElement} picture
	 * @param {string} url
	 * @param {Done} answer
	 */
	constructor(overlay, picture, url, answer) {
		this.#overlay = overlay;
		this.picture = picture;
		this.url = url;
		this.answer = answer;
		const { mark, declares } = answer;
		const figure = percent(answer.verdict.probability);
		this.label = build("span", "", mark === "none" ? "" : translate(mark, figure));
		const parts = [...(mark === "none" ? [] : [drawSpark(), this.label]), ...(declares ? [buildDeclared()] : [])];
		this.element = /** @type {HTMLButtonElement} */ (build("button", `badge ${mark}`, ...parts));
		this.element.type = "button";
		const labels = [mark === "none" ? "" : translate(`${mark}Label`, figure), declares ? translate("declaresAiLabel") : ""];
		this.element.setAttribute("aria-label", labels.filter(Boolean).join(" "));
		this.element.setAttribute("aria-expanded", "false");
		this.#card = buildAnswer("card", answer);
		this.#listen();
		overlay.add(this.element);
	}

	remove() {
		this.#life.abort();
		this.#overlay.remove(this.element, this.#card, ...(this.#heatmap ? [this.#heatmap.element] : []));
	}

	/** @param {boolean} visible */
	show(visible) {
		this.element.hidden = !visible;
		if (!visible) {
			this.#close();
		}
	}

	/** @param {Box} box  of the picture, in the viewport */
	place(box) {
		const { mark, verdict } = this.answer;
		const narrow = box.width < (this.answer.declares ? 2 : 1) * NARROW;
		const text = mark === "none" ? "" : translate(narrow ? `${mark}Short` : mark, percent(verdict.probability));
		if (this.label.textContent !== text) {
			this.label.textContent = text;
		}

		const atEnd = this.#overlay.element.dir === "rtl";
		const x = atEnd ? box.x + box.width - INSET - this.element.offsetWidth : box.x + INSET;
		this.#overlay.place(this.element, { x, y: box.y + INSET });
		if (this.#open) {
			this.#heatmap?.place(this.#overlay, this.picture);
			placeBeside(this.#overlay, this.#card, this.element.getBoundingClientRect(), box);
		}
	}

	/** @returns {ShownMark} */
	get state() {
		const box = (/** @type {Element} */ element) => {
			const { x, y, width, height } = element.getBoundingClientRect();
			return { x, y, width, height };
		};
		return {
			url: this.url,
			mark: this.answer.mark,
			declares: this.answer.declares,
			text: this.label.textContent ?? "",
			visible: !this.element.hidden,
			rect: box(this.element),
			card: this.#open ? this.#card.textContent : null,
			heatmap: this.#heatmap?.element.isConnected ? box(this.#heatmap.element) : null,
		};
	}

	#listen() {
		const { signal } = this.#life;
		/** @type {ReturnType<typeof setTimeout> | undefined} */
		let timer;
		const on = (/** @type {string} */ type, /** @type {(event: Event) => void} */ listener) =>
			this.element.addEventListener(type, listener, { signal });
		on("pointerenter", () => {
			timer = setTimeout(() => this.#show(), HOVER_DELAY);
		});
		on("pointerleave", () => {
			clearTimeout(timer);
			if (!this.#pinned) {
				this.#close();
			}
		});
		on("focus", () => this.element.matches(":focus-visible") && this.#show());
		on("blur", () => this.#close());
		on("click", (event) => {
			event.preventDefault();
			this.#pinned = !this.#pinned;
			if (this.#pinned) {
				this.#show();
			} else {
				this.#close();
			}
		});
		on("keydown", (event) => {
			if (/** @type {KeyboardEvent} */ (event).key === "Escape") {
				this.#close();
			}
		});
		signal.addEventListener("abort", () => clearTimeout(timer));
	}

	#show() {
		if (this.#open) {
			return;
		}

		this.#open = true;
		this.element.setAttribute("aria-expanded", "true");
		this.#overlay.add(this.#card);
		this.#drawHeatmap();
		this.place(this.picture.getBoundingClientRect());
		if (this.answer.mark !== "none") {
			this.#explaining ??= this.#explain();
		}
	}

	#close() {
		if (!this.#open) {
			return;
		}

		this.#open = false;
		this.#pinned = false;
		this.element.setAttribute("aria-expanded", "false");
		this.#card.remove();
		this.#heatmap?.element.remove();
	}

	async #explain() {
		/** @type {ExplainAnswer} */
		const answer = await askBackground({ type: "explain", url: this.url });
		if (this.#life.signal.aborted) {
			return;
		}

		if (answer.status === "done") {
			const { heatmap, reason } = answer.explanation;
			this.#heatmap = new Heatmap(heatmap);
			const line = this.#card.querySelector(".reason");
			if (line && reason) {
				line.textContent = reason;
			}
		} else {
			// The card stays as it is; next time it is asked again.
			this.#explaining = null;
		}

		if (this.#open) {
			this.#drawHeatmap();
			this.place(this.picture.getBoundingClientRect());
		}
	}

	/** Under the badge and the card. */
	#drawHeatmap() {
		if (this.#heatmap) {
			this.element.before(this.#heatmap.element);
			this.#heatmap.place(this.#overlay, this.picture);
		}
	}
}
