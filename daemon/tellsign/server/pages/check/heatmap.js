// As the extension's content/heatmap.js, which no module can share.

import { build } from "./elements.js";

/** Stops of the heat's colours: value, red, green, blue, alpha. Readable on any picture, for the colour-blind too. */
const STOPS = [
	[0, 80, 0, 120, 0],
	[0.3, 150, 0, 110, 0.15],
	[0.6, 240, 60, 40, 0.5],
	[1, 255, 235, 60, 0.75],
];
/** That a cell of the grid becomes; the browser enlarges them further. */
const PIXELS = 6;

/** @param {number} value  in [0, 1] */
function colour(value) {
	const after = Math.max(1, STOPS.findIndex(([stop]) => value <= stop));
	const [low, high] = [STOPS[after - 1], STOPS[after]];
	const part = (value - low[0]) / (high[0] - low[0]);
	return low.slice(1).map((from, index) => from + (high[index + 1] - from) * part);
}

/**
 * @param {number} pixel
 * @returns {[number, number]} the grid's cell whose centre lies before it, and the smoothed way to the next one
 */
function split(pixel) {
	const position = (pixel + 0.5) / PIXELS - 0.5;
	const cell = Math.floor(position);
	const part = position - cell;
	return [cell, part * part * (3 - 2 * part)];
}

/**
 * The grid, drawn over the whole picture. The value is interpolated, not the colour: mixed colours would make rings.
 * @param {Heat} heat
 */
export function buildHeatmap({ rows, cols, values }) {
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [cols * PIXELS, rows * PIXELS];
	const context = canvas.getContext("2d");
	const at = (/** @type {number} */ row, /** @type {number} */ col) =>
		values[Math.min(rows - 1, Math.max(0, row))][Math.min(cols - 1, Math.max(0, col))];
	for (let y = 0; context && y < canvas.height; y++) {
		const [row, down] = split(y);
		for (let x = 0; x < canvas.width; x++) {
			const [col, right] = split(x);
			const upper = at(row, col) * (1 - right) + at(row, col + 1) * right;
			const lower = at(row + 1, col) * (1 - right) + at(row + 1, col + 1) * right;
			context.fillStyle = `rgba(${colour(upper * (1 - down) + lower * down).join()})`;
			context.fillRect(x, y, 1, 1);
		}
	}

	const element = build("div", "heat", canvas);
	element.setAttribute("aria-hidden", "true");
	return element;
}
