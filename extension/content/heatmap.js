/** Stops of the heat's colours: value, red, green, blue, alpha. Readable on any picture, for the colour-blind too. */
const HEAT_STOPS = [
	[0, 80, 0, 120, 0],
	[0.3, 150, 0, 110, 0.15],
	[0.6, 240, 60, 40, 0.5],
	[1, 255, 235, 60, 0.75],
];

/** @param {number} value  in [0, 1] */
const heatColour = (value) => {
	const after = Math.max(1, HEAT_STOPS.findIndex(([stop]) => value <= stop));
	const [low, high] = [HEAT_STOPS[after - 1], HEAT_STOPS[after]];
	const part = (value - low[0]) / (high[0] - low[0]);
	return low.slice(1).map((from, index) => from + (high[index + 1] - from) * part);
};

const HEAT_PIXELS = 6;

/**
 * @param {number} pixel
 * @returns {[number, number]} the grid's cell whose centre lies before it, and the smoothed way to the next one
 */
const splitHeat = (pixel) => {
	const position = (pixel + 0.5) / HEAT_PIXELS - 0.5;
	const cell = Math.floor(position);
	const part = position - cell;
	return [cell, part * part * (3 - 2 * part)];
};

/**
 * The grid on a canvas: each cell becomes a patch of HEAT_PIXELS pixels, which the browser enlarges.
 * @param {HTMLCanvasElement} canvas
 * @param {Heat} heat
 */
const paintHeat = (canvas, { rows, cols, values }) => {
	[canvas.width, canvas.height] = [cols * HEAT_PIXELS, rows * HEAT_PIXELS];
	const context = canvas.getContext("2d");
	const at = (/** @type {number} */ row, /** @type {number} */ col) =>
		Number(values[Math.min(rows - 1, Math.max(0, row))]?.[Math.min(cols - 1, Math.max(0, col))]) || 0;
	// The value is interpolated, not the colour: mixed colours would make rings. Rectangles instead of ImageData:
	// Firefox lets no content script write into the page's typed arrays.
	for (let y = 0; context && y < canvas.height; y++) {
		const [row, down] = splitHeat(y);
		for (let x = 0; x < canvas.width; x++) {
			const [col, right] = splitHeat(x);
			const upper = at(row, col) * (1 - right) + at(row, col + 1) * right;
			const lower = at(row + 1, col) * (1 - right) + at(row + 1, col + 1) * right;
			const value = Math.min(1, Math.max(0, upper * (1 - down) + lower * down));
			context.fillStyle = `rgba(${heatColour(value).join()})`;
			context.fillRect(x, y, 1, 1);
		}
	}
};

/** The heat, drawn over the whole picture. */
class Heatmap {
	element = build("div", "heat");
	#canvas = document.createElement("canvas");

	/** @param {Heat} heat */
	constructor(heat) {
		this.element.setAttribute("aria-hidden", "true");
		this.element.append(this.#canvas);
		paintHeat(this.#canvas, heat);
	}

	/**
	 * @param {Overlay} overlay
	 * @param {HTMLImageElement} picture
	 */
	place(overlay, picture) {
		const { content, painted } = paintedBox(picture);
		overlay.place(this.element, content);
		Object.assign(this.#canvas.style, {
			left: `${painted.x - content.x}px`,
			top: `${painted.y - content.y}px`,
			width: `${painted.width}px`,
			height: `${painted.height}px`,
		});
		this.element.style.borderRadius = getComputedStyle(picture).borderRadius;
	}
}
