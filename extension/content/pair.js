// Runs on the daemon's own pairing page, and announces itself only there: the one place where a page learns that the
// extension exists.
(async () => {
	const button = document.querySelector("#tellsign-pair");
	const result = document.querySelector("#tellsign-result");
	if (!button || !result || !(await browser.runtime.sendMessage({ type: "pair-page" }))) {
		return;
	}

	button.addEventListener("click", async (event) => {
		if (event.isTrusted) {
			const code = location.hash.slice(1);
			/** @type {PairAnswer} */
			const { message } = await browser.runtime.sendMessage({ type: "pair", code });
			result.textContent = message;
		}
	});
	document.documentElement.dataset.tellsign = "ready";
})();
