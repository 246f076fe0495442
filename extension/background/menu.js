import { text } from "../shared/i18n.js";

const ID = "check-image";

export function createMenu() {
	browser.contextMenus.removeAll(() => {
		browser.contextMenus.create({ id: ID, title: text("menuCheck"), contexts: ["image"] });
	});
}

/**
 * @param {import("./checker.js").Checker} checker
 * @param {string} url
 * @param {import("./picture.js").Source} source
 */
export async function checkImage(checker, url, source) {
	/** @param {CheckAnswer | null} answer */
	const show = (answer) =>
		browser.tabs.sendMessage(source.tabId, { type: "panel", url, answer }, { frameId: source.frameId });
	await show(null);
	await checker.connection.wake();
	await show(await checker.check(url, "user", source));
}
