/** All badges of a page: where they are, and which of them can be seen. */
class Marks {
	/** @type {Map<HTMLImageElement, Badge>} */
	#badges = new Map();
	/** Clipped by a scrolling parent, or far away. @type {Map<Element, {top: number, left: number} | null>} */
	#clips = new Map();
	/** @type {MovementWatch | null} */
	#movement = null;
	#clipping;
	#overlay;
	#signal;

	/**
	 * @param {Overlay} overlay
	 * @param {AbortSignal} signal
	 */
	constructor(overlay, signal) {
		this.#overlay = overlay;
		this.#signal = signal;
		this.#clipping = new IntersectionObserver((entries) => this.#clipped(entries), {
			root: document,
			rootMargin: "4000px",
			threshold: [0, 0.25, 0.5, 0.75, 0.9, 1],
		});
		signal.addEventListener("abort", () => this.#clipping.disconnect());
	}

	/**
	 * @param {HTMLImageElement} picture
	 * @param {string} url
	 * @param {Done} answer
	 */
	set(picture, url, answer) {
		this.delete(picture);
		this.#movement ??= new MovementWatch(() => this.#placeAll(), this.#signal);
		const badge = new Badge(this.#overlay, picture, url, answer);
		badge.show(false);
		this.#badges.set(picture, badge);
		this.#clipping.observe(picture);
		this.#movement.watch(picture);
		this.#movement.schedule();
	}

	/** @param {HTMLImageElement} picture */
	delete(picture) {
		this.#badges.get(picture)?.remove();
		this.#badges.delete(picture);
		this.#clips.delete(picture);
		this.#clipping.unobserve(picture);
		this.#movement?.unwatch(picture);
	}

	clear() {
		for (const picture of this.#badges.keys()) {
			this.delete(picture);
		}
	}

	/** @param {HTMLImageElement} picture */
	get(picture) {
		return this.#badges.get(picture);
	}

	/** @returns {ShownMark[]} */
	get state() {
		return [...this.#badges.values()].map((badge) => badge.state);
	}

	/** @param {IntersectionObserverEntry[]} entries */
	#clipped(entries) {
		for (const { target, isIntersecting, intersectionRect, boundingClientRect } of entries) {
			this.#clips.set(target, isIntersecting
				? { top: intersectionRect.top - boundingClientRect.top, left: intersectionRect.left - boundingClientRect.left }
				: null);
		}

		this.#movement?.schedule();
	}

	#placeAll() {
		if (this.#badges.size === 0) {
			return;
		}

		this.#overlay.attach();
		/** @type {{url: string, box: DOMRect}[]} */
		const shown = [];
		for (const [picture, badge] of this.#badges) {
			const box = picture.getBoundingClientRect();
			const clip = this.#clips.get(picture);
			const near = box.bottom > -innerHeight && box.top < 2 * innerHeight;
			const twin = shown.some((other) => other.url === badge.url && sameBox(other.box, box));
			const visible = Boolean(clip) && near && !twin && isSeen(picture) && !this.#hidden(picture, box, clip);
			badge.show(visible);
			if (visible && clip) {
				shown.push({ url: badge.url, box });
				badge.place({
					x: box.x + clip.left,
					y: box.y + clip.top,
					width: box.width - clip.left,
					height: box.height - clip.top,
				});
				this.#movement?.fence(picture, box);
			}
		}
	}

	/**
	 * @param {HTMLImageElement} picture
	 * @param {DOMRect} box
	 * @param {{top: number, left: number} | null | undefined} clip
	 */
	#hidden(picture, box, clip) {
		// The middle of where the badge goes; outside the viewport there is nothing to hit.
		const x = box.x + (clip?.left ?? 0) + Math.min(70, box.width / 2);
		const y = box.y + (clip?.top ?? 0) + 20;
		const inView = x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;
		return inView && isCovered(picture, x, y, this.#overlay.element);
	}
}

/**
 * @param {DOMRect} a
 * @param {DOMRect} b
 */
const sameBox = (a, b) =>
	[a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height].every((difference) => Math.abs(difference) < 8);
