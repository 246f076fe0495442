// From MADE on the text of the extension's content/evidence.js, as a test sees to. No file can be both: a browser's store
// takes the extension's folder alone, a wheel the daemon's, and content scripts are no modules.

import { build } from "./elements.js";
import { text as translate } from "./words.js";

/** Of a prompt: there is more room here than on a card. */
const EXCERPT = 2000;
const MADE = ["trainedAlgorithmicMedia", "algorithmicMedia"];

/** @param {unknown} value */
const wording = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** @param {string} text */
const excerpt = (text) => (text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text);

/** Whether a signature holds, and whose it is. @param {Evidence} entry */
const signature = ({ trusted, details }) =>
	translate(details.problem ? `problem_${details.problem}` : trusted ? "signerTrusted" : "signerUnknown");

/** @param {Evidence} entry @returns {string[]} the first is the headline */
const describeCredentials = (entry) => {
	const { details } = entry;
	if (details.remote) {
		return [translate("ccElsewhere", URL.canParse(details.remote) ? new URL(details.remote).host : details.remote)];
	}

	if (details.problem === "unreadable") {
		return [translate("ccUnreadable")];
	}

	const name = details.source_types?.some((/** @type {string} */ type) => MADE.includes(type))
		? "ccMade"
		: entry.declares_ai ? "ccPart" : "ccSilent";
	const signer = wording(details.issuer) || wording(details.signer) || "?";
	return [translate(name, signer), signature(entry), wording(details.generator), wording(details.time), translate("offline")];
};

/** @type {Record<EvidenceKind, (entry: Evidence) => string[]>} */
const DESCRIPTIONS = {
	content_credentials: describeCredentials,
	iptc: ({ declares_ai, details }) => {
		const said = [details.credit, details.software, details.source, details.source_type].map(wording).find(Boolean);
		return [
			declares_ai ? translate("iptcAi") : translate("iptcSilent", said ?? "?"),
			wording(details.ai_system),
			excerpt(wording(details.ai_prompt)),
		];
	},
	generator_parameters: ({ details }) => [
		translate("generatorOf", wording(details.tool) || "?"),
		wording(details.model),
		excerpt(wording(details.prompt)),
	],
	watermark: ({ details }) => [
		translate("watermarkOf", wording(details.message)),
		translate("watermarkHint", wording(details.bits_agreeing), wording(details.bits)),
	],
	capture: (entry) => entry.details.signed
		? [translate("captureSigned"), signature(entry), wording(entry.details.camera)]
		: [translate("cameraNamed", wording(entry.details.camera)), wording(entry.details.taken)],
};

/**
 * What the file says of itself: beside the verdict, and never in its place. What declares AI comes first.
 * @param {Evidence[]} evidence
 */
export const buildEvidence = (evidence) => {
	if (evidence.length === 0) {
		return build("div", "says silent", translate("fileSaysNothing"));
	}

	const list = document.createElement("ul");
	for (const entry of evidence.toSorted((a, b) => Number(b.declares_ai) - Number(a.declares_ai))) {
		const [headline, ...more] = DESCRIPTIONS[entry.kind]?.(entry) ?? [entry.summary];
		const item = build("li", entry.declares_ai ? "declares" : "", build("div", "headline", headline));
		item.append(...more.filter(Boolean).map((line) => build("div", "more", line)));
		list.append(item);
	}

	return build("div", "says", build("div", "title", translate("fileSays")), list);
};
