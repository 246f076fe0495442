// Address spaces, after Local Network Access (https://wicg.github.io/local-network-access/): a page may use pictures of
// its own space and of more public ones. Without this a hostile page could send the extension, which has more rights
// than the page, to hosts inside the person's network.

import { parseUrl } from "../shared/settings.js";

const LOOPBACK = 0;
const LOCAL = 1;
const PUBLIC = 2;

/** @param {string} host  as URL.hostname writes it: IPv4 numbers normalised, IPv6 in brackets */
function spaceOfHost(host) {
	if (host === "localhost" || host.endsWith(".localhost")) {
		return LOOPBACK;
	}

	if (host.startsWith("[")) {
		return spaceOfIpv6(host.slice(1, -1));
	}

	if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) {
		return spaceOfIpv4(host.split(".").map(Number));
	}

	const name = host.replace(/\.$/, "");
	return !name.includes(".") || /\.(local|internal|lan|home|corp|home\.arpa)$/.test(name) ? LOCAL : PUBLIC;
}

/** @param {number[]} bytes */
function spaceOfIpv4([a, b]) {
	if (a === 127 || a === 0) {
		return LOOPBACK;
	}

	const local = a === 10
		|| (a === 172 && b >= 16 && b < 32)
		|| (a === 192 && b === 168)
		|| (a === 169 && b === 254)
		|| (a === 100 && b >= 64 && b < 128)
		|| (a === 198 && (b === 18 || b === 19))
		|| a >= 224;
	return local ? LOCAL : PUBLIC;
}

/** @param {string} address */
function spaceOfIpv6(address) {
	if (address === "::1" || address === "::") {
		return LOOPBACK;
	}

	// IPv4 inside IPv6: mapped (::ffff:), translated (64:ff9b::), compatible (::)
	const embedded = /^(?:::ffff:|64:ff9b::|::)([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address);
	if (embedded) {
		const [high, low] = [parseInt(embedded[1], 16), parseInt(embedded[2], 16)];
		return spaceOfIpv4([high >> 8, high & 255, low >> 8, low & 255]);
	}

	return /^(f[cd]|fe[89a-f]|ff)/.test(address) ? LOCAL : PUBLIC;
}

/**
 * @param {string} picture  URL
 * @param {string | undefined} page  URL of the frame that shows it
 */
export function mayFetch(picture, page) {
	const target = parseUrl(picture);
	const source = parseUrl(page);
	if (!target || !/^https?:$/.test(target.protocol)) {
		return false;
	}

	if (source && source.origin === target.origin) {
		return true;
	}

	const from = source && /^https?:$/.test(source.protocol) ? spaceOfHost(source.hostname) : PUBLIC;
	return spaceOfHost(target.hostname) >= from;
}

/**
 * Cookies travel only to the page's own site, as far as host names tell it: what another site serves to a stranger is
 * what a picture there looks like, and a request of ours must not tie a person to a third party.
 * @param {string} picture
 * @param {string | undefined} page
 */
export function sameSite(picture, page) {
	const [a, b] = [parseUrl(picture)?.hostname ?? "", parseUrl(page)?.hostname ?? ""];
	const inside = (/** @type {string} */ host, /** @type {string} */ parent) =>
		host === parent || (parent.includes(".") && host.endsWith("." + parent));
	return a !== "" && b !== "" && (inside(a, b) || inside(b, a));
}
