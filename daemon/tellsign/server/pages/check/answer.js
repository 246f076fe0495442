import { build } from "./elements.js";
import { buildEvidence } from "./evidence.js";
import { buildHeatmap } from "./heatmap.js";
import { text } from "./words.js";

/** Pixels of a picture as it is shown, on the long side: sharp on a dense screen, and six megabytes. */
const LONGEST = 1200;

/** Never 100: nothing here is certain. @param {number} probability */
const percent = (probability) => String(Math.min(99, Math.round(probability * 100)));

/**
 * Content Credentials that were made for other bytes, or whose signature is broken, may be copied from another picture.
 * @param {Evidence} entry
 */
const marksAi = ({ declares_ai, details }) => declares_ai && details.intact !== false;

/**
 * The picture on a canvas: an <img> would be found, and marked, by the extension, and would be something to load.
 * @param {File} file
 * @param {{width: number, height: number}} size  where the browser can't read it
 */
async function paint(file, { width, height }) {
	const bitmap = await createImageBitmap(file).catch(() => null);
	const [across, down] = bitmap ? [bitmap.width, bitmap.height] : [width, height];
	const scale = Math.min(1, LONGEST / Math.max(across, down));
	const canvas = document.createElement("canvas");
	canvas.width = Math.max(1, Math.round(across * scale));
	canvas.height = Math.max(1, Math.round(down * scale));
	const context = canvas.getContext("2d");
	if (bitmap && context) {
		context.imageSmoothingQuality = "high";
		context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
		bitmap.close();
	}

	return { canvas, seen: bitmap !== null };
}

/** One picture on the page, from the moment that it is dropped. */
export class Answer {
	#shown = build("div", "shown");
	#words = build("div", "words");
	#progress = build("p", "progress");
	element = build("article", "answer", this.#shown, build("div", "said", this.#words, this.#progress));
	#name;
	#note;
	/** @type {() => void} */
	#explain = () => {};
	#asked = false;

	/**
	 * @param {string} name
	 * @param {string} note  about how it came here, or empty
	 */
	constructor(name, note) {
		this.#name = name;
		this.#note = note;
		this.#progress.setAttribute("role", "status");
		this.#words.append(build("h2", "name", name));
		this.progress(text("waiting"), false);
	}

	/**
	 * @param {string} words  empty: nothing is being done
	 * @param {boolean} [moving]
	 */
	progress(words, moving = true) {
		this.#progress.hidden = !words;
		this.#progress.replaceChildren(...(moving && words ? [build("progress", "")] : []), words);
	}

	/**
	 * @param {{words: string, english: boolean, passing: boolean}} why
	 * @param {() => void} again
	 */
	fail({ words, english, passing }, again) {
		this.progress("");
		const reason = build("p", "reason", words);
		if (english) {
			reason.lang = "en";
		}

		const button = build("button", "", text("retry"));
		button.hidden = !passing;
		button.addEventListener("click", () => {
			this.#words.replaceChildren(build("h2", "name", this.#name));
			again();
		});
		this.#words.replaceChildren(build("h2", "name", this.#name), build("p", "head", text("notChecked")), reason, button);
	}

	/**
	 * @param {File} file
	 * @param {Verdict & import("./daemon.js").Facts} answer
	 * @param {string} title  of the model
	 * @param {() => void} explain  asks for the heatmap
	 */
	async show(file, answer, title, explain) {
		this.#explain = explain;
		const { canvas, seen } = await paint(file, answer.picture);
		canvas.setAttribute("role", "img");
		canvas.setAttribute("aria-label", text("pictureOf", this.#name));
		this.#shown.append(build("div", "picture", canvas), this.#buildSwitch());
		if (!seen) {
			this.#shown.append(build("p", "small", text("noPreview")));
		}

		this.element.classList.add(answer.verdict);
		this.#words.replaceChildren(...this.#describe(answer, title));
		this.progress("");
		this.#showSigns(answer.verdict !== "none");
	}

	/** @param {Explanation} explanation */
	showHeat({ heatmap, reason }) {
		this.#shown.querySelector(".picture")?.append(buildHeatmap(heatmap));
		const line = this.#words.querySelector(".reason");
		if (line) {
			line.textContent = reason;
		}

		this.progress("");
	}

	/** The next time that it is wanted, it is asked for again. @param {string} why */
	failHeat(why) {
		this.#asked = false;
		this.#showSigns(false);
		this.progress(why, false);
	}

	/** @param {boolean} wanted */
	#showSigns(wanted) {
		const box = /** @type {HTMLInputElement} */ (this.#shown.querySelector(".signs input"));
		box.checked = wanted;
		this.element.classList.toggle("signs-shown", wanted);
		if (wanted && !this.#asked) {
			this.#asked = true;
			this.#explain();
		}
	}

	#buildSwitch() {
		const box = build("input", "");
		box.type = "checkbox";
		box.addEventListener("change", () => this.#showSigns(box.checked));
		return build("label", "signs", box, text("showSigns"));
	}

	/**
	 * @param {Verdict & import("./daemon.js").Facts} answer
	 * @param {string} title
	 */
	#describe({ verdict, probability, reason, evidence, picture, timings }, title) {
		const figure = percent(probability);
		const head = build("p", "head", verdict === "none" ? text("noSign") : text(verdict, figure));
		if (evidence.some(marksAi)) {
			head.append(build("span", "declared", text("declaresAi")));
		}

		const level = build("i", "");
		level.style.width = `${figure}%`;
		const why = build("p", "reason", reason);
		why.lang = "en";
		const { format, width, height } = picture;
		return [
			build("h2", "name", this.#name),
			head,
			build("div", "meter", level),
			why,
			buildEvidence(evidence),
			...(this.#note ? [build("p", "small", this.#note)] : []),
			build("p", "small", text(verdict === "none" ? "footNone" : "foot", figure, title)),
			build("p", "small", text("details", format, width, height, Math.round(timings.total))),
		];
	}
}
