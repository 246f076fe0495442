const WAKE_STATES = ["off", "unpaired", "outdated", "starting", "failed", "paused"];

/** Everything on this page ends with it: when the extension is updated or removed, no trace stays. */
const life = new AbortController();
const overlay = new Overlay(life.signal);
const marks = new Marks(overlay, life.signal);
const finder = new PictureFinder({
	found: (picture, url, priority) => check(picture, url, priority),
	gone: (picture) => marks.delete(picture),
	signal: life.signal,
});
const panel = new Panel(overlay, (url) => finder.byUrl(url), life.signal);

/** The daemon cannot answer now: nothing is asked until the background says so, or the person comes back. */
let paused = false;
/** Something changed while nobody looked. */
let stale = false;

/**
 * @param {HTMLImageElement} picture
 * @param {string} url
 * @param {Priority} priority
 */
async function check(picture, url, priority) {
	if (paused) {
		return;
	}

	/** @type {CheckAnswer} */
	let answer;
	try {
		answer = await askBackground({ type: "check", url, priority });
	} catch {
		life.abort();
		return;
	}

	finder.answered(picture);
	if (life.signal.aborted || picture.currentSrc !== url || !picture.isConnected) {
		return;
	}

	if (answer.status === "done") {
		draw(picture, url, answer);
	} else if (answer.status === "disabled") {
		paused = true;
		marks.clear();
	} else if (WAKE_STATES.includes(answer.status)) {
		paused = true;
	}
}

/**
 * @param {HTMLImageElement} picture
 * @param {string} url
 * @param {Done} answer
 */
function draw(picture, url, answer) {
	const drawn = marks.get(picture)?.answer;
	const same = drawn?.mark === answer.mark
		&& drawn.declares === answer.declares
		&& drawn.verdict.probability === answer.verdict.probability
		&& drawn.verdict.model.digest === answer.verdict.model.digest
		&& drawn.verdict.calibration === answer.verdict.calibration;
	if (answer.mark === "none" && !answer.declares) {
		marks.delete(picture);
	} else if (!same) {
		marks.set(picture, url, answer);
	}
}

/** Asks again; what is already drawn stays until the answer is another one. */
function refresh() {
	stale = document.hidden;
	if (!stale) {
		paused = false;
		finder.restart();
	}
}

function lookedAt() {
	if (document.hidden) {
		return;
	}

	if (stale) {
		refresh();
	} else if (paused) {
		askBackground({ type: "wake" }).catch(() => life.abort());
	}
}

document.addEventListener("visibilitychange", lookedAt, { signal: life.signal });
addEventListener("focus", lookedAt, { signal: life.signal });
addEventListener("pagehide", () => {
	askBackground({ type: "leave" }).catch(() => {});
}, { signal: life.signal });
addEventListener("pageshow", ({ persisted }) => persisted && refresh(), { signal: life.signal });

/** @returns {PageState} */
const pageState = () => ({ marks: marks.state, panel: panel.text, known: finder.size, paused });

browser.runtime.onMessage.addListener((/** @type {ToPageMessage} */ message, sender, respond) => {
	if (sender.id !== browser.runtime.id || life.signal.aborted) {
		return;
	}

	switch (message.type) {
		case "refresh": {
			refresh();
			return;
		}

		case "panel": {
			panel.show(message.url, message.answer);
			return;
		}

		case "read": {
			readBlobUrl(message.url).then(respond);
			return true;
		}

		case "state": {
			respond(pageState());
		}
	}
});
