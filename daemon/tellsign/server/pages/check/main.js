import { Answer } from "./answer.js";
import { check, DaemonError, enter, explain, hasPass, titleOf } from "./daemon.js";
import { $ } from "./elements.js";
import { text, translatePage } from "./words.js";

const MAX_BYTES = 32 * 1024 * 1024;
/** Answers on the page, and pictures at once: each answer holds a picture. */
const MOST = 30;

/** What is to be done, one after the other: verdicts first, heatmaps after them. @type {(() => Promise<void>)[]} */
const verdicts = [];
/** @type {(() => Promise<void>)[]} */
const heatmaps = [];
let working = false;

/** Its message is the name of the words. */
class Unreadable extends Error {}

/** @param {File} file */
async function read(file) {
	if (file.size > MAX_BYTES) {
		throw new Unreadable("failure_tooLarge");
	}

	return file.arrayBuffer().catch(() => {
		throw new Unreadable("notRead"); // a folder, or a file that has gone since
	});
}

/**
 * What to say, and whether it may be better the next time.
 * @param {unknown} error
 */
function sentence(error) {
	if (error instanceof Unreadable) {
		return { words: text(error.message), english: false, passing: false };
	}

	const { code, message, status } = /** @type {DaemonError} */ (error);
	const own = code === "unreachable" ? "gone" : status === 401 ? "ended" : message ? "" : "notRead";
	return { words: own ? text(own) : message, english: !own, passing: status === 0 || status >= 500 };
}

async function work() {
	if (working) {
		return;
	}

	working = true;
	for (;;) {
		const job = verdicts.shift() ?? heatmaps.shift();
		if (!job) {
			break;
		}

		await job();
	}

	working = false;
}

/**
 * @param {File} file
 * @param {Answer} answer
 */
function askVerdict(file, answer) {
	answer.progress(text("waiting"), false);
	verdicts.push(async () => {
		answer.progress(text("checking"));
		try {
			const verdict = await check(await read(file));
			const { id } = verdict.model;
			const title = await titleOf(id).catch(() => id);
			await answer.show(file, verdict, title, () => askHeatmap(file, answer));
		} catch (error) {
			answer.fail(sentence(error), () => askVerdict(file, answer));
			showDoor();
		}
	});
	work();
}

/**
 * @param {File} file
 * @param {Answer} answer
 */
function askHeatmap(file, answer) {
	answer.progress(text("explaining"));
	heatmaps.push(async () => {
		try {
			answer.showHeat(await explain(await read(file)));
		} catch (error) {
			answer.failHeat(sentence(error).words);
			showDoor();
		}
	});
	work();
}

/** @param {FileList | null | undefined} files @param {boolean} pasted */
function take(files, pasted) {
	if (!hasPass()) {
		return;
	}

	const taken = [...(files ?? [])].slice(0, MOST);
	$("#told").textContent = taken.length === 0 ? text("noFile") : taken.length < (files?.length ?? 0) ? text("tooMany", MOST) : "";
	const answers = taken.map((file) => {
		const copy = pasted && file.name === "image.png"; // what browsers call a picture that comes without a file
		const answer = new Answer(copy ? text("pasted") : file.name, copy ? text("pastedNote") : "");
		askVerdict(file, answer);
		return answer.element;
	});
	$("#answers").prepend(...answers);
	for (const old of [...$("#answers").children].slice(MOST)) {
		old.remove();
	}
}

/** Where pictures come in, or why none may. @param {string} [why] */
function showDoor(why = "ended") {
	const open = hasPass();
	$("#drop").hidden = !open;
	$("#closed").hidden = open;
	$("#closed").textContent = open ? "" : text(why);
}

async function arrive() {
	let why = "noPass";
	try {
		await enter();
	} catch (error) {
		why = error instanceof DaemonError && error.code === "no_page_code" ? "used" : "gone";
	}

	showDoor(why);
}

/** @param {DragEvent} event */
const bringsFiles = (event) => event.dataTransfer?.types.includes("Files") ?? false;

addEventListener("dragover", (event) => {
	event.preventDefault();
	document.body.classList.toggle("over", bringsFiles(event) && hasPass());
});
addEventListener("dragleave", (event) => {
	if (!event.relatedTarget) {
		document.body.classList.remove("over");
	}
});
addEventListener("drop", (event) => {
	// Also of what is no file: the browser would go to it.
	event.preventDefault();
	document.body.classList.remove("over");
	take(event.dataTransfer?.files, false);
});
addEventListener("paste", (event) => take(event.clipboardData?.files, true));
addEventListener("hashchange", arrive);
$("#file").addEventListener("change", () => {
	const input = /** @type {HTMLInputElement} */ ($("#file"));
	take(input.files, false);
	input.value = ""; // the same picture may be chosen again
});

translatePage();
await arrive();
