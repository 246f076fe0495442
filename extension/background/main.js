// The background's entry: every listener is registered here, at top level, so that an event can start the worker.

import "../shared/browser.js";
import { Checker } from "./checker.js";
import { Connection } from "./connection.js";
import { checkImage, createMenu } from "./menu.js";
import { pair, pairPageAddress, readPairing } from "./pairing.js";
import { showOnToolbar } from "./toolbar.js";
import { versionOf } from "./verdicts.js";

const connection = new Connection();
const checker = new Checker(connection);

/** The token is not for content scripts. Firefox has no such level for every area. */
browser.storage.local.setAccessLevel?.({ accessLevel: "TRUSTED_CONTEXTS" })?.catch(() => {});

/** Has every page ask again; what is still known is answered from the cache. */
async function refreshPages() {
	for (const { id } of await browser.tabs.query({})) {
		if (id !== undefined) {
			browser.tabs.sendMessage(id, { type: "refresh" }).catch(() => {
				// A page without our content script.
			});
		}
	}
}

connection.addEventListener("change", async () => {
	await showOnToolbar(connection.status);
	const now = `${connection.status} ${connection.model ? versionOf(connection.model) : ""}`;
	const { lastStatus = "" } = await browser.storage.session.get("lastStatus");
	if (connection.status !== "unknown" && now !== lastStatus) {
		await browser.storage.session.set({ lastStatus: now });
		await (connection.status === "ready" && refreshPages());
	}
});

browser.runtime.onInstalled.addListener(async () => {
	createMenu();
	await connection.settle();
});

browser.runtime.onStartup.addListener(() => connection.settle());

browser.storage.onChanged.addListener(async (changes, area) => {
	if (area !== "local") {
		return;
	}

	if (changes.address) {
		await connection.restart();
	}

	if (changes.sensitivity || changes.disabledSites) {
		await refreshPages();
	}
});

browser.tabs.onRemoved.addListener((tabId) => checker.leave({ tabId, frameId: 0 }));

browser.contextMenus.onClicked.addListener((info, tab) => {
	if (info.srcUrl && tab?.id !== undefined) {
		checkImage(checker, info.srcUrl, {
			tabId: tab.id,
			frameId: info.frameId ?? 0,
			url: info.frameUrl ?? info.pageUrl ?? tab.url,
			isPrivate: tab.incognito,
		});
	}
});

/** @param {string} [address] @param {string} [code] */
async function pairWith(address = "", code = "") {
	const answer = await pair(address, code);
	if (answer.ok) {
		await connection.restart();
	}

	return answer;
}

/**
 * @param {PageMessage} message
 * @param {import("./picture.js").Source} source
 * @param {chrome.runtime.MessageSender} sender
 */
async function answerPage(message, source, sender) {
	switch (message.type) {
		case "check": {
			const priority = message.priority === "visible" ? "visible" : "background";
			return checker.check(String(message.url), priority, source);
		}

		case "explain": {
			return checker.explain(String(message.url), source);
		}

		case "wake": {
			return connection.wake();
		}

		case "leave": {
			return checker.leave(source);
		}

		case "pair-page": {
			return (await pairPageAddress(sender)) !== null;
		}

		case "pair": {
			return pairWith((await pairPageAddress(sender)) ?? "", String(message.code));
		}
	}
}

/** @param {ExtensionMessage} message */
async function answerExtension(message) {
	switch (message.type) {
		case "status": {
			await connection.probe();
			const { status, model, pairing, message: reason } = connection;
			return { status, model, address: pairing.address, message: reason };
		}

		case "pair": {
			await connection.probe();
			return pairWith(connection.pairing.address, message.code);
		}

		case "forget": {
			await browser.storage.local.remove("pairing");
			await connection.restart();
			return readPairing().then(({ token }) => token === "");
		}

		case "pause": {
			return connection.pause(message.paused);
		}

		case "check-image": {
			const { url, tabId, frameId } = message;
			const tab = await browser.tabs.get(tabId);
			return checkImage(checker, url, { tabId, frameId, url: tab.url, isPrivate: tab.incognito });
		}
	}
}

browser.runtime.onMessage.addListener((message, sender, respond) => {
	if (sender.id !== browser.runtime.id) {
		return;
	}

	const fromExtension = sender.url?.startsWith(browser.runtime.getURL(""));
	const { tab, frameId = 0, url } = sender;
	if (fromExtension) {
		answerExtension(message).then(respond);
	} else if (tab?.id !== undefined) {
		const source = { tabId: tab.id, frameId, url, isPrivate: tab.incognito };
		answerPage(message, source, sender).then(respond);
	}

	return true;
});
