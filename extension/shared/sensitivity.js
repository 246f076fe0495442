import { readSettings, writeSettings } from "./settings.js";

/** The radio buttons of that name, on popup and options. */
export async function bindSensitivity() {
	const { sensitivity } = await readSettings();
	const buttons = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=sensitivity]"));
	for (const button of buttons) {
		button.checked = button.value === sensitivity;
		button.addEventListener("change", () => {
			writeSettings({ sensitivity: button.value === "unsure" ? "unsure" : "strong" });
		});
	}
}
