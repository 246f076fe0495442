const SMALLEST = 128;
const AHEAD = "600px";

/**
 * Finds pictures that are large enough and near the viewport, and reports each once for every URL that it shows.
 */
class PictureFinder {
	/** What each picture was reported with. @type {WeakMap<HTMLImageElement, string>} */
	#reported = new WeakMap();
	/** @type {Set<HTMLImageElement>} */
	#known = new Set();
	/** @type {Set<HTMLImageElement>} */
	#near = new Set();
	/** @type {WeakSet<ShadowRoot>} */
	#roots = new WeakSet();
	/** @type {IntersectionObserver} */
	#nearness;
	/** Pictures that wait for an answer, to be put first when they come into view. @type {IntersectionObserver} */
	#view;
	/** Layout may come later than the picture. @type {ResizeObserver} */
	#sizes;
	/** @type {MutationObserver} */
	#changes;
	#signal;
	#found;
	#gone;

	/**
	 * @param {object} options
	 * @param {(picture: HTMLImageElement, url: string, priority: Priority) => void} options.found
	 * @param {(picture: HTMLImageElement) => void} options.gone  removed, or about to show something else
	 * @param {AbortSignal} options.signal
	 */
	constructor({ found, gone, signal }) {
		this.#found = found;
		this.#gone = gone;
		this.#signal = signal;
		const root = document;
		this.#nearness = new IntersectionObserver((entries) => this.#moved(entries), { root, rootMargin: AHEAD });
		this.#view = new IntersectionObserver((entries) => this.#entered(entries), { root });
		this.#sizes = new ResizeObserver((entries) => {
			for (const { target } of entries) {
				this.#consider(/** @type {HTMLImageElement} */ (target));
			}
		});
		this.#changes = new MutationObserver((records) => this.#mutated(records));
		signal.addEventListener("abort", () => {
			for (const observer of [this.#nearness, this.#view, this.#sizes, this.#changes]) {
				observer.disconnect();
			}
		});
		this.#watch(document);
		// Custom elements may get their shadow roots late.
		addEventListener("load", () => this.#add(document.documentElement), { signal });
	}

	get size() {
		return this.#known.size;
	}

	/** Reports everything near the viewport again. */
	restart() {
		this.#reported = new WeakMap();
		for (const picture of this.#known) {
			if (!picture.isConnected) {
				this.#remove(picture);
			} else if (this.#near.has(picture)) {
				this.#consider(picture);
			}
		}
	}

	/** @param {HTMLImageElement} picture */
	answered(picture) {
		this.#view.unobserve(picture);
	}

	/** @param {string} url */
	byUrl(url) {
		return [...this.#known].find((picture) => picture.currentSrc === url && picture.isConnected);
	}

	/** @param {Document | ShadowRoot} root */
	#watch(root) {
		this.#changes.observe(root, { subtree: true, childList: true, attributeFilter: ["src", "srcset", "sizes"] });
		root.addEventListener("load", ({ target }) => {
			if (target instanceof HTMLImageElement) {
				this.#consider(target);
			}
		}, { capture: true, signal: this.#signal });
		this.#add(root);
	}

	/** @param {Document | ShadowRoot | Element} tree */
	#add(tree) {
		const elements = [tree, ...tree.querySelectorAll("*")];
		for (const element of elements) {
			if (element instanceof HTMLImageElement) {
				this.#addPicture(element);
			} else if (element instanceof Element && element.localName.includes("-") && element.shadowRoot
				&& !this.#roots.has(element.shadowRoot)) {
				this.#roots.add(element.shadowRoot);
				this.#watch(element.shadowRoot);
			}
		}
	}

	/** @param {HTMLImageElement} picture */
	#addPicture(picture) {
		if (!this.#known.has(picture)) {
			this.#known.add(picture);
			this.#nearness.observe(picture);
		}
	}

	/** @param {HTMLImageElement} picture */
	#remove(picture) {
		for (const observer of [this.#nearness, this.#view, this.#sizes]) {
			observer.unobserve(picture);
		}

		this.#known.delete(picture);
		this.#near.delete(picture);
		this.#forget(picture);
	}

	/** @param {HTMLImageElement} picture */
	#forget(picture) {
		this.#reported.delete(picture);
		this.#gone(picture);
	}

	/** @param {MutationRecord[]} records */
	#mutated(records) {
		for (const { type, target, addedNodes, removedNodes } of records) {
			if (type === "attributes") {
				const picture = target instanceof HTMLSourceElement
					? target.parentElement?.querySelector("img")
					: target;
				if (picture instanceof HTMLImageElement && this.#reported.get(picture) !== picture.currentSrc) {
					this.#forget(picture);
					this.#consider(picture);
				}
			}

			for (const node of addedNodes) {
				if (node instanceof Element) {
					this.#add(node);
				}
			}

			for (const node of removedNodes) {
				if (node instanceof Element && !node.isConnected) {
					for (const picture of [node, ...node.querySelectorAll("img")]) {
						if (picture instanceof HTMLImageElement) {
							this.#remove(picture);
						}
					}
				}
			}
		}
	}

	/** @param {IntersectionObserverEntry[]} entries */
	#moved(entries) {
		for (const { target, isIntersecting } of entries) {
			const picture = /** @type {HTMLImageElement} */ (target);
			if (isIntersecting) {
				this.#near.add(picture);
				this.#sizes.observe(picture);
			} else {
				this.#near.delete(picture);
				this.#sizes.unobserve(picture);
			}
		}
	}

	/** @param {IntersectionObserverEntry[]} entries */
	#entered(entries) {
		for (const { target, isIntersecting } of entries) {
			const picture = /** @type {HTMLImageElement} */ (target);
			const url = this.#reported.get(picture);
			if (isIntersecting && url) {
				this.#view.unobserve(picture);
				this.#found(picture, url, "visible");
			}
		}
	}

	/** @param {HTMLImageElement} picture */
	#consider(picture) {
		const url = picture.currentSrc;
		if (!this.#near.has(picture) || !picture.complete || picture.naturalWidth === 0
			|| this.#reported.get(picture) === url || !/^(https?|data|blob):/.test(url)) {
			return;
		}

		const { width, height, top, bottom } = picture.getBoundingClientRect();
		if (width < SMALLEST || height < SMALLEST) {
			return;
		}

		if (this.#reported.has(picture)) {
			this.#forget(picture);
		}

		this.#reported.set(picture, url);
		const visible = bottom > 0 && top < innerHeight;
		if (!visible) {
			this.#view.observe(picture);
		}

		this.#found(picture, url, visible ? "visible" : "background");
	}
}
