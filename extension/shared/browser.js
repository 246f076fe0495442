// The one browser shim. Firefox calls the promise API `browser`, Chrome calls it `chrome`. A classic script, so that
// modules (`import "…/browser.js"`) and content scripts (first in the manifest's list) share it.
globalThis.browser ??= globalThis.chrome;
