/**
 * Calls back when the page may have moved under the marks. Nothing runs while nothing moves: no timer, no frame loop.
 */
class MovementWatch {
	#frame = 0;
	#moved;
	#sizes = new ResizeObserver(() => this.schedule());
	/** @type {Map<Element, IntersectionObserver>} */
	#fences = new Map();

	/**
	 * @param {() => void} moved
	 * @param {AbortSignal} signal
	 */
	constructor(moved, signal) {
		this.#moved = moved;
		const schedule = () => this.schedule();
		const options = { capture: true, passive: true, signal };
		for (const type of ["scroll", "transitionend", "animationend", "toggle", "fullscreenchange"]) {
			document.addEventListener(type, schedule, options);
		}

		addEventListener("resize", schedule, options);
		const changes = new MutationObserver(schedule);
		changes.observe(document, {
			subtree: true,
			childList: true,
			attributeFilter: ["class", "style", "hidden", "open", "width", "height"],
		});
		this.#sizes.observe(document.documentElement);
		signal.addEventListener("abort", () => {
			changes.disconnect();
			this.#sizes.disconnect();
			cancelAnimationFrame(this.#frame);
			for (const fence of this.#fences.values()) {
				fence.disconnect();
			}
		});
	}

	schedule() {
		this.#frame ||= requestAnimationFrame(() => {
			this.#frame = 0;
			this.#moved();
		});
	}

	/** @param {Element} element */
	watch(element) {
		this.#sizes.observe(element);
	}

	/** @param {Element} element */
	unwatch(element) {
		this.#sizes.unobserve(element);
		this.#fences.get(element)?.disconnect();
		this.#fences.delete(element);
	}

	/**
	 * Hears of a move that has no event (a picture above got its height): an observer whose root is cropped to the
	 * element itself loses sight of it. After floating-ui's autoUpdate.
	 * @param {Element} element
	 * @param {DOMRect} box
	 */
	fence(element, { top, left, right, bottom, width, height }) {
		this.#fences.get(element)?.disconnect();
		const { clientWidth, clientHeight } = document.documentElement;
		if (top < 0 || left < 0 || bottom > clientHeight || right > clientWidth || !width || !height) {
			return;
		}

		const margins = [top, clientWidth - right, clientHeight - bottom, left];
		let first = true;
		const fence = new IntersectionObserver(() => {
			if (!first) {
				this.schedule();
			}

			first = false;
		}, { root: document, rootMargin: margins.map((px) => `${-Math.floor(px)}px`).join(" "), threshold: [0.9, 0.99] });
		fence.observe(element);
		this.#fences.set(element, fence);
	}
}
