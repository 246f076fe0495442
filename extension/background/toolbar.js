import { text } from "../shared/i18n.js";

/** @type {Record<DaemonStatus, {badge: string, colour: string, title: string}>} */
const LOOKS = {
	unknown: { badge: "", colour: "#5f6368", title: "name" },
	ready: { badge: "", colour: "#5f6368", title: "toolbarReady" },
	starting: { badge: "…", colour: "#5f6368", title: "toolbarStarting" },
	paused: { badge: "| |", colour: "#5f6368", title: "toolbarPaused" },
	off: { badge: "off", colour: "#5f6368", title: "toolbarOff" },
	unpaired: { badge: "!", colour: "#b35900", title: "toolbarUnpaired" },
	outdated: { badge: "!", colour: "#b3121d", title: "toolbarOutdated" },
	failed: { badge: "!", colour: "#b3121d", title: "toolbarFailed" },
};

/** @param {DaemonStatus} status */
export async function showOnToolbar(status) {
	const { badge, colour, title } = LOOKS[status];
	await browser.action.setBadgeText({ text: badge });
	await browser.action.setBadgeBackgroundColor({ color: colour });
	await browser.action.setBadgeTextColor({ color: "#ffffff" });
	await browser.action.setTitle({ title: text(title) });
}
