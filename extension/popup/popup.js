import "../shared/browser.js";
import { $ } from "../shared/elements.js";
import { text, translatePage } from "../shared/i18n.js";
import { bindSensitivity } from "../shared/sensitivity.js";
import { readSettings, siteOf, switchSite } from "../shared/settings.js";

const EVERYWHERE = { origins: ["<all_urls>"] };

/** The page that the popup is about; `?tab=` names it where the popup is opened as a page itself. */
async function currentTab() {
	const named = new URLSearchParams(location.search).get("tab");
	if (named) {
		return browser.tabs.get(Number(named));
	}

	const [tab] = await browser.tabs.query({ active: true, currentWindow: true });
	return tab;
}

async function showStatus() {
	/** @type {StatusAnswer} */
	const { status, model, message } = await browser.runtime.sendMessage({ type: "status" });
	document.body.dataset.status = status;
	$("#status-text").textContent = text(`status_${status}`);
	$("#model").textContent = model?.title ?? "";
	for (const line of document.querySelectorAll(".message")) {
		line.textContent = message;
	}

	if (status === "unpaired") {
		$("#code").focus();
	}
}

/** @param {chrome.tabs.Tab} tab */
async function showMarks(tab) {
	try {
		/** @type {PageState} */
		const { marks } = await browser.tabs.sendMessage(tab.id ?? -1, { type: "state" }, { frameId: 0 });
		const name = marks.length === 0 ? "markedNone" : marks.length === 1 ? "markedOne" : "markedMany";
		$("#marked").textContent = text(name, String(marks.length));
	} catch {
		$("#marked").textContent = siteOf(tab.url) ? text("reload") : "–";
	}
}

/** @param {chrome.tabs.Tab} tab */
async function showSite(tab) {
	const site = siteOf(tab.url);
	const { disabledSites } = await readSettings();
	const input = /** @type {HTMLInputElement} */ ($("#site"));
	$("#site-row").hidden = site === "";
	$("#site-text").textContent = text("siteSwitch", site);
	input.checked = !disabledSites.includes(site);
	input.addEventListener("change", () => switchSite(site, input.checked));
}

async function showAccess() {
	$("#access").hidden = await browser.permissions.contains(EVERYWHERE);
}

$("#grant").addEventListener("click", () => {
	// Firefox wants the request in the click itself, before anything is awaited.
	browser.permissions.request(EVERYWHERE).then(showAccess);
});
for (const [button, paused] of /** @type {const} */ ([["#pause", true], ["#resume", false]])) {
	$(button).addEventListener("click", async () => {
		await browser.runtime.sendMessage({ type: "pause", paused });
		await showStatus();
	});
}

$("#again").addEventListener("click", showStatus);
$("#options").addEventListener("click", (event) => {
	event.preventDefault();
	browser.runtime.openOptionsPage();
});
$("#pair").addEventListener("submit", async (event) => {
	event.preventDefault();
	const code = /** @type {HTMLInputElement} */ ($("#code")).value;
	/** @type {PairAnswer} */
	const { ok, message } = await browser.runtime.sendMessage({ type: "pair", code });
	$("#pair-result").textContent = ok ? "" : message;
	if (ok) {
		await showStatus();
	}
});

translatePage();
$("#status-text").textContent = text("status_unknown");
const tab = await currentTab();
await Promise.all([bindSensitivity(), showAccess(), showStatus(), showSite(tab), showMarks(tab)]);
