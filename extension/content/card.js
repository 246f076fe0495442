/**
 * What an answer means, in words. Never "real": no sign found is all that can be said.
 * @param {CheckAnswer} answer
 * @returns {{kind: string, head: string, reason: string, foot: string, probability: number | null}}
 */
const describe = (answer) => {
	if (answer.status === "done") {
		const { verdict, probability, reason } = answer.verdict;
		const head = {
			suspected: translate("suspected", percent(probability)),
			unsure: translate("unsure", percent(probability)),
			none: translate("noSign"),
		}[verdict];
		const foot = translate(verdict === "none" ? "footNone" : "foot", percent(probability), answer.model);
		return { kind: verdict, head, reason, foot, probability };
	}

	const reason = answer.status === "error" ? answer.message : translate(`panel_${answer.status}`);
	return { kind: "", head: translate("notChecked"), reason, foot: "", probability: null };
};

/**
 * @param {"card" | "panel"} place  a card hangs on a badge, which says the headline already if there is a sign
 * @param {CheckAnswer} answer
 */
const buildAnswer = (place, answer) => {
	const { kind, head, reason, foot, probability } = describe(answer);
	const parts = place === "panel" || (answer.status === "done" && answer.mark === "none") ? [build("div", "head", head)] : [];
	if (probability !== null) {
		const level = document.createElement("i");
		level.style.width = `${percent(probability)}%`;
		parts.push(build("div", "meter", level));
	}

	parts.push(build("div", "reason", reason));
	if (answer.status === "done") {
		parts.push(buildEvidence(answer.verdict.evidence));
	}

	if (foot) {
		parts.push(build("div", "foot", foot));
	}

	const element = build("div", `${place} ${kind}`, ...parts);
	element.setAttribute("role", "status");
	return element;
};

/**
 * Below the anchor, or above it where there is no room; beside `clear`, which had better stay visible, where there is
 * room; always inside the viewport.
 * @param {Overlay} overlay
 * @param {HTMLElement} element
 * @param {Box} anchor  in the viewport
 * @param {Box} [clear]
 */
const placeBeside = (overlay, element, anchor, clear) => {
	const gap = 8;
	const { width, height } = element.getBoundingClientRect();
	const { clientWidth, clientHeight } = document.documentElement;
	const below = anchor.y + anchor.height + gap;
	const y = below + height + gap > clientHeight && anchor.y - height - gap > 0 ? anchor.y - height - gap : below;
	if (clear) {
		const right = clear.x + clear.width + gap;
		const left = clear.x - gap - width;
		const x = right + width + gap <= clientWidth ? right : left;
		if (x >= gap) {
			overlay.place(element, { x, y: anchor.y });
			return;
		}
	}

	const x = overlay.element.dir === "rtl" ? anchor.x + anchor.width - width : anchor.x;
	overlay.place(element, {
		x: Math.max(gap, Math.min(x, clientWidth - width - gap)),
		y: Math.max(gap, Math.min(y, clientHeight - height - gap)),
	});
};
