import "../shared/browser.js";
import { $ } from "../shared/elements.js";
import { text, translatePage } from "../shared/i18n.js";
import { bindSensitivity } from "../shared/sensitivity.js";
import { loopbackAddress, readSettings, switchSite, writeSettings } from "../shared/settings.js";

const address = /** @type {HTMLInputElement} */ ($("#address"));

async function showSites() {
	const { disabledSites } = await readSettings();
	$("#no-sites").hidden = disabledSites.length > 0;
	$("#sites").replaceChildren(...disabledSites.map((site) => {
		const item = document.createElement("li");
		const remove = document.createElement("button");
		remove.textContent = "×";
		remove.ariaLabel = remove.title = text("sitesRemove", site);
		remove.addEventListener("click", async () => {
			await switchSite(site, true);
			await showSites();
		});
		item.append(site, remove);
		return item;
	}));
}

$("#address-form").addEventListener("submit", async (event) => {
	event.preventDefault();
	const wanted = address.value.trim();
	const good = wanted === "" ? "" : loopbackAddress(wanted);
	const result = $("#address-result");
	result.classList.toggle("wrong", good === null);
	if (good === null) {
		result.textContent = text("addressBad");
	} else {
		address.value = good;
		await writeSettings({ address: good });
		result.textContent = text("saved");
	}
});

$("#forget").addEventListener("click", async () => {
	await browser.runtime.sendMessage({ type: "forget" });
	$("#forget-result").textContent = text("forgotten");
});

translatePage();
address.value = (await readSettings()).address;
await Promise.all([bindSensitivity(), showSites()]);
